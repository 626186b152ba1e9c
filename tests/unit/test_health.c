// What systemd hears, on a socket that we hold the other end of.
#include "check.h"

#include "common/io/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int system_fd;
static char path[64];
static const char *missing = "no Redis";

static bool on_ready(void *arg, char *reason, size_t reason_size)
{
    (void)arg;
    snprintf(reason, reason_size, "%s", missing != NULL ? missing : "ok");
    return missing == NULL;
}

static void open_system(bool abstract)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int len = snprintf(path, sizeof path, abstract ? "@tessera-test-%d" : "/tmp/tessera-test-%d.notify", getpid());
    memcpy(sa.sun_path, path, (size_t)len);
    if (abstract)
        sa.sun_path[0] = '\0';
    else
        unlink(path);
    system_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(
        bind(system_fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
}

// The next datagram that does not only pet the watchdog; "" when none comes within 50 turns.
static const char *heard(struct loop *loop)
{
    static char text[256];
    for (unsigned i = 0; i < 50; i++) {
        ssize_t n = recv(system_fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        if (n > 0 && strcmp(text, "WATCHDOG=1") != 0)
            return text;
        if (n < 0)
            loop_run_once(loop, 20);
    }
    return "";
}

static void check_life(bool abstract)
{
    struct health health;
    struct loop *loop = loop_new();
    open_system(abstract);
    missing = "no Redis";
    health_start(&health, loop, on_ready, NULL, "127.0.0.1:8080");
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_string_equal(heard(loop), "STATUS=not ready: no Redis");
    health_reloading(&health); // not ready yet: READY=1 behind it would be a lie
    health_reloaded(&health);
    missing = "no shard";
    assert_string_equal(heard(loop), "STATUS=not ready: no shard");
    missing = NULL;
    assert_string_equal(heard(loop), "READY=1\nSTATUS=serving");
    assert_int_equal(health.ready, 1);
    missing = "no Redis";
    assert_string_equal(heard(loop), "STATUS=not ready: no Redis");
    assert_int_equal(health.ready, 0);
    missing = NULL;
    assert_string_equal(heard(loop), "STATUS=serving");
    health_reloading(&health);
    assert_int_equal(strncmp(heard(loop), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    health_reloaded(&health);
    assert_string_equal(heard(loop), "READY=1");
    health_stopping(&health);
    health_stopping(&health);
    assert_string_equal(heard(loop), "STOPPING=1\nSTATUS=stopping");
    health_reloading(&health);
    assert_string_equal(heard(loop), "");
    health_stop(&health);
    health_stop(&health);
    close(system_fd);
    unlink(path);
    loop_free(loop);
}

static void test_life(void **state)
{
    (void)state;
    check_life(false);
}

static void test_abstract_socket(void **state)
{
    (void)state;
    check_life(true);
}

// How often within 0.3 s, and a late machine has until `wanted` of them came.
static unsigned pets(const char *pid, unsigned wanted)
{
    struct health health;
    struct loop *loop = loop_new();
    char text[256];
    unsigned count = 0;
    open_system(false);
    setenv("WATCHDOG_USEC", "60000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    missing = "never";
    health_start(&health, loop, on_ready, NULL, "");
    struct monotime end = monotime_add_ms(loop_now_exact(), 300);
    struct monotime give_up = monotime_add_ms(loop_now_exact(), 20000);
    while (monotime_before(loop_now_exact(), end) || (count < wanted && monotime_before(loop_now_exact(), give_up))) {
        loop_run_once(loop, 20);
        for (ssize_t n; (n = recv(system_fd, text, sizeof text - 1, 0)) > 0;) {
            text[n] = '\0';
            count += strcmp(text, "WATCHDOG=1") == 0;
        }
    }
    health_stop(&health);
    close(system_fd);
    unlink(path);
    loop_free(loop);
    return count;
}

static void test_watchdog(void **state)
{
    (void)state;
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    assert_in_range(pets(pid, 4), 4, 20);
    assert_int_equal(pets("1", 0), 0); // meant for another process
}

static void test_nobody_listens(void **state)
{
    (void)state;
    static const char *const names[] = {"/nonexistent/socket", "relative", "", NULL};
    for (unsigned i = 0; names[i] != NULL; i++) {
        struct health health;
        struct loop *loop = loop_new();
        setenv("NOTIFY_SOCKET", names[i], 1);
        missing = NULL;
        health_start(&health, loop, on_ready, NULL, "");
        loop_run_once(loop, 50);
        loop_run_once(loop, 50);
        assert_int_equal(health.ready, 1);
        health_stop(&health);
        loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_abstract_socket),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
