#include "tests/tools/load_journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFER_LEN 65536u
#define LINE_MAX_LEN 192u

struct load_journal {
    int fd;
    bool lost;
    size_t len;
    char buffer[BUFFER_LEN];
};

struct load_journal *load_journal_open(const char *path)
{
    struct load_journal *journal = malloc(sizeof *journal);
    if (journal == NULL)
        return NULL;
    journal->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    journal->lost = false;
    journal->len = 0;
    if (journal->fd >= 0)
        return journal;
    free(journal);
    return NULL;
}

int load_journal_flush(struct load_journal *journal)
{
    if (journal == NULL)
        return 0;
    // One write for whole lines: the kernel appends it in one piece.
    if (journal->len > 0 && write(journal->fd, journal->buffer, journal->len) != (ssize_t)journal->len)
        journal->lost = true;
    journal->len = 0;
    return journal->lost ? ERR_IO : 0;
}

void load_journal_close(struct load_journal *journal)
{
    if (journal == NULL)
        return;
    close(journal->fd);
    free(journal);
}

void load_journal_write(struct load_journal *journal, struct monotime now, const struct load_event *event)
{
    if (journal == NULL)
        return;
    if (journal->len + LINE_MAX_LEN > BUFFER_LEN && load_journal_flush(journal) != 0)
        return;
    int len = snprintf(journal->buffer + journal->len, LINE_MAX_LEN,
                       "%s %" PRId64 " %016" PRIx64 " %016" PRIx64 " %" PRIu32 " %u %u %u %" PRIu32 " %s\n",
                       event->what, now.us, event->user, event->connection, event->nonce, event->x, event->y,
                       event->color, event->seq, event->verdict);
    if (len > 0 && (size_t)len < LINE_MAX_LEN)
        journal->len += (size_t)len;
}
