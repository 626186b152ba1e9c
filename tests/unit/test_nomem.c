// Memory that runs out: the n-th allocation of ours fails, for every n in turn. The outcome is an error or a closed
// connection, never a crash, a leak or a half-done change. (The linker hands our allocations to the functions below;
// those of the libraries go on.)

#include "check.h"

#include "common/core/replica.h"
#include "common/io/metrics_http.h"
#include "common/io/msg_sock.h"
#include "common/io/redis_queue.h"
#include "common/io/sock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static unsigned fail_at; // 0 = never
static unsigned count;

static int due(void)
{
    return ++count == fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t number, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t number, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return due() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
    return due() ? NULL : __real_calloc(number, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return due() ? NULL : __real_realloc(old, size);
}

// Runs the scenario with the first, second, … allocation failing, until it needs fewer than that.
static void each_allocation(void (*scenario)(void))
{
    fail_at = 1;
    do {
        count = 0;
        scenario();
        fail_at++;
    } while (count >= fail_at - 1);
    assert_true(fail_at > 2); // something was tried
    fail_at = 0;
}

static void replica_scenario(void)
{
    struct replica replica;
    if (replica_init(&replica, 4096) != 0)
        assert_null(replica.px);
    replica_fini(&replica);
}

static void queue_scenario(void)
{
    struct redis_queue queue = {0};
    struct redis_pending pending;
    int64_t pushed = 0;
    for (int i = 0; i < 200; i++) {
        if (redis_queue_reserve(&queue) == 0)
            redis_queue_push(&queue, (struct redis_pending){.sent = {pushed++}});
    }
    for (int64_t i = 0; i < pushed; i++) {
        assert_true(redis_queue_pop(&queue, &pending));
        assert_int_equal(pending.sent.us, i);
    }
    assert_int_equal(queue.count, 0);
    redis_queue_fini(&queue);
}

static void loop_scenario(void)
{
    struct metrics_http *http = NULL;
    static struct metrics metrics;
    struct loop *loop = loop_new();
    if (loop == NULL)
        return;
    if (metrics_http_open(&http, loop, "127.0.0.1:0", &metrics, NULL, NULL) == 0)
        metrics_http_close(http);
    loop_free(loop);
}

static size_t received;
static int over;

static void on_message(void *arg, const uint8_t *data, size_t len)
{
    (void)arg;
    (void)data;
    received += len;
}

static void on_closed(void *arg, enum msg_sock_reason reason)
{
    (void)arg;
    assert_int_equal(reason, MSG_SOCK_NO_MEMORY);
    over = 1;
}

static void msg_sock_scenario(void)
{
    static const struct msg_sock_limits limits = {.max_len = 60000, .high_water = 100000};
    static const struct msg_sock_handlers handlers = {.on_message = on_message, .on_closed = on_closed};
    static uint8_t wire[4 + 50000] = {0, 0, 50000 >> 8, 50000 & 0xff};
    struct msg_sock *sock = NULL;
    int fds[2];
    struct loop *loop = loop_new();
    if (loop == NULL)
        return;
    received = 0;
    over = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    if (msg_sock_accept(&sock, loop, fds[0], &limits, &handlers, NULL) != 0) {
        close(fds[0]);
    } else {
        assert_int_equal(write(fds[1], wire, sizeof wire), sizeof wire);
        for (int i = 0; i < 100 && received == 0 && !over; i++)
            loop_run_once(loop, 1);
        assert_true(over || received == 50000);
        msg_sock_close(sock);
    }
    close(fds[1]);
    loop_free(loop);
}

static void test_replica(void **state)
{
    (void)state;
    each_allocation(replica_scenario);
}

static void test_queue(void **state)
{
    (void)state;
    each_allocation(queue_scenario);
}

static void test_loop_and_metrics(void **state)
{
    (void)state;
    each_allocation(loop_scenario);
}

static void test_msg_sock(void **state)
{
    (void)state;
    each_allocation(msg_sock_scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replica),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_loop_and_metrics),
        cmocka_unit_test(test_msg_sock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
