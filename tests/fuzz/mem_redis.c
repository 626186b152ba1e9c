#include "tests/fuzz/mem_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/lua_scripts.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mem_dial.h"
#include "tests/fuzz/mem_sock.h"

#define CONNS_MAX 4
#define DIGEST_LEN 40

static struct {
    int fd; // 0: none
    bool subscribed;
} conns[CONNS_MAX];

static void drop_closed(void)
{
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (conns[i].fd != 0 && !mem_sock_is_open(conns[i].fd))
            conns[i].fd = 0;
}

void mem_redis_reset(void)
{
    FUZZ_CHECK(!mem_dial_waits(MEM_REDIS_ADDRESS));
    memset(conns, 0, sizeof conns);
}

bool mem_redis_dialled(bool refused)
{
    unsigned i = 0;
    drop_closed();
    while (i < CONNS_MAX && conns[i].fd != 0)
        i++;
    if (!mem_dial_waits(MEM_REDIS_ADDRESS))
        return false;
    int fd = refused || i == CONNS_MAX ? -1 : mem_sock_open();
    if (fd >= 0) {
        conns[i].fd = fd;
        conns[i].subscribed = false;
    }
    return mem_dial_answer(MEM_REDIS_ADDRESS, fd);
}

// ---- Commands -------------------------------------------------------------------------------------------------------

// `*3` or `$3` and the end of the line; returns what follows, NULL when it is not whole.
static const char *read_count(const char *at, const char *end, char mark, size_t *count)
{
    const char *line = memchr(at, '\r', (size_t)(end - at));
    if (line == NULL || line + 1 >= end)
        return NULL;
    FUZZ_CHECK(*at == mark && line[1] == '\n');
    *count = (size_t)strtoull(at + 1, NULL, 10);
    return line + 2;
}

// A command at the beginning of what was written: its length, 0 when it is not whole.
static size_t read_command(const char *bytes, size_t len, struct mem_redis_command *command)
{
    const char *at = bytes, *end = bytes + len;
    if (len == 0 || (at = read_count(at, end, '*', &command->count)) == NULL)
        return 0;
    FUZZ_CHECK(command->count >= 1);
    for (size_t i = 0, n; i < command->count; i++) {
        if (at == end || (at = read_count(at, end, '$', &n)) == NULL || (size_t)(end - at) < n + 2)
            return 0;
        if (i < MEM_REDIS_ARGS) {
            command->args[i].data = at;
            command->args[i].len = n;
        }
        FUZZ_CHECK(at[n] == '\r' && at[n + 1] == '\n');
        at += n + 2;
    }
    return (size_t)(at - bytes);
}

static bool arg_is(const struct mem_redis_command *command, size_t i, const char *text)
{
    return i < command->count && command->args[i].len == strlen(text) &&
           memcmp(command->args[i].data, text, command->args[i].len) == 0;
}

static void say(int fd, const char *text)
{
    mem_sock_join(fd, text, strlen(text));
}

static void load_script(const struct mem_redis_command *command)
{
    char reply[64];
    int script = 0;
    while (script < LUA_SCRIPT_COUNT && !arg_is(command, 2, lua_scripts[script]))
        script++;
    FUZZ_CHECK(script < LUA_SCRIPT_COUNT);
    snprintf(reply, sizeof reply, "$%d\r\n%0*d\r\n", DIGEST_LEN, DIGEST_LEN, script);
    say(command->fd, reply);
}

static void confirm(const struct mem_redis_command *command, const char *kind)
{
    char reply[256];
    for (size_t i = 1; i < command->count && i < MEM_REDIS_ARGS; i++) {
        int len = (int)command->args[i].len;
        snprintf(reply, sizeof reply, "*3\r\n$%zu\r\n%s\r\n$%d\r\n%.*s\r\n:1\r\n", strlen(kind), kind, len, len,
                 command->args[i].data);
        say(command->fd, reply);
    }
}

// What needs no target.
static bool answer_here(unsigned conn, const struct mem_redis_command *command)
{
    if (arg_is(command, 0, "AUTH"))
        say(command->fd, "+OK\r\n");
    else if (arg_is(command, 0, "PING"))
        say(command->fd, conns[conn].subscribed ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n");
    else if (arg_is(command, 0, "SCRIPT"))
        load_script(command);
    else if (arg_is(command, 0, "SUBSCRIBE"))
        confirm(command, "subscribe");
    else if (arg_is(command, 0, "UNSUBSCRIBE"))
        confirm(command, "unsubscribe");
    else
        return false;
    conns[conn].subscribed |= arg_is(command, 0, "SUBSCRIBE");
    return true;
}

static bool next_of(unsigned conn, struct mem_redis_command *command)
{
    size_t len, whole;
    for (;;) {
        const char *out = (const char *)mem_sock_out(conns[conn].fd, &len);
        *command = (struct mem_redis_command){.fd = conns[conn].fd, .script = -1};
        whole = read_command(out, len, command);
        if (whole == 0)
            return false;
        if (!answer_here(conn, command))
            break;
        mem_sock_eat(command->fd, whole);
    }
    if (arg_is(command, 0, "EVALSHA") || arg_is(command, 0, "EVALSHA_RO")) {
        FUZZ_CHECK(command->args[1].len == DIGEST_LEN);
        command->script = atoi(command->args[1].data + DIGEST_LEN - 4);
    }
    command->name = command->args[0].data;
    return true;
}

bool mem_redis_next(struct mem_redis_command *command)
{
    drop_closed();
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (conns[i].fd != 0 && next_of(i, command))
            return true;
    return false;
}

void mem_redis_answer(const struct mem_redis_command *command, const void *bytes, size_t len)
{
    struct mem_redis_command same = {0};
    size_t out_len;
    const char *out = (const char *)mem_sock_out(command->fd, &out_len);
    mem_sock_eat(command->fd, read_command(out, out_len, &same));
    mem_sock_join(command->fd, bytes, len);
}

void mem_redis_push(const void *bytes, size_t len)
{
    drop_closed();
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (conns[i].fd != 0 && conns[i].subscribed)
            mem_sock_feed(conns[i].fd, bytes, len);
}

void mem_redis_break(void)
{
    drop_closed();
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (conns[i].fd != 0)
            mem_sock_break(conns[i].fd);
}
