#include "tests/fuzz/mem_dial.h"

#include <stddef.h>
#include <string.h>

#include "common/io/dial.h"
#include "tests/fuzz/fuzz.h"

#define DIALS_MAX 512

static struct {
    struct dial *dial;
    const char *address;
} waiting[DIALS_MAX];
static unsigned count;

void dial_init(struct dial *dial, struct loop *loop, dial_cb *on_done, void *arg)
{
    memset(dial, 0, sizeof *dial);
    dial->loop = loop;
    dial->on_done = on_done;
    dial->arg = arg;
    dial->fd = -1;
}

int dial_start(struct dial *dial, const char *address, uint32_t timeout_ms)
{
    (void)timeout_ms;
    for (unsigned i = 0; i < count; i++)
        FUZZ_CHECK(waiting[i].dial != dial); // one at a time
    FUZZ_CHECK(count < DIALS_MAX);
    waiting[count].dial = dial;
    waiting[count++].address = address; // of its owner, which outlives it
    return 0;
}

void dial_cancel(struct dial *dial)
{
    for (unsigned i = 0; i < count; i++)
        if (waiting[i].dial == dial) {
            memmove(&waiting[i], &waiting[i + 1], (--count - i) * sizeof waiting[0]);
            return;
        }
}

static unsigned find(const char *start)
{
    unsigned i = 0;
    while (i < count && strncmp(waiting[i].address, start, strlen(start)) != 0)
        i++;
    return i;
}

bool mem_dial_waits(const char *start)
{
    return find(start) < count;
}

bool mem_dial_answer(const char *start, int fd)
{
    unsigned i = find(start);
    if (i == count)
        return false;
    struct dial *dial = waiting[i].dial;
    dial_cancel(dial);
    dial->on_done(dial->arg, fd, fd < 0 ? "refused" : "");
    return true;
}
