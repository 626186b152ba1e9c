#include "check.h"

#include "common/io/metrics.h"
#include "common/io/metrics_http.h"
#include "common/io/metrics_process.h"
#include "common/io/sock.h"

#include <event2/buffer.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct metrics metrics;
static uint64_t draws = 7;
static int64_t clients = -3;
static struct hist latency;

static double read_half(void *arg)
{
    return *(double *)arg / 2;
}

static int setup(void **state)
{
    (void)state;
    metrics_init(&metrics);
    latency = (struct hist){0};
    return 0;
}

static char *text(void)
{
    struct evbuffer *out = evbuffer_new();
    assert_int_equal(metrics_write(&metrics, out), 0);
    assert_int_equal(evbuffer_add(out, "", 1), 0);
    char *copy = strdup((char *)evbuffer_pullup(out, -1));
    evbuffer_free(out);
    return copy;
}

static void test_text(void **state)
{
    (void)state;
    double value = 5;
    const struct metrics_row rows[] = {
        {.name = "t_draws_total", .type = METRICS_COUNTER, .help = "Draws.", .labels = "v=\"a\"", .value = &draws},
        {.name = "t_draws_total", .type = METRICS_COUNTER, .help = "Draws.", .labels = "v=\"b\"", .value = &draws},
        {.name = "t_clients", .type = METRICS_GAUGE, .help = "Clients.", .value = &clients},
        {.name = "t_half", .type = METRICS_GAUGE, .help = "Half.", .read = read_half, .arg = &value},
    };
    assert_int_equal(metrics_add(&metrics, rows, 4), 0);
    char *shown = text();
    assert_string_equal(shown, "# HELP t_draws_total Draws.\n# TYPE t_draws_total counter\n"
                               "t_draws_total{v=\"a\"} 7\nt_draws_total{v=\"b\"} 7\n"
                               "# HELP t_clients Clients.\n# TYPE t_clients gauge\nt_clients -3\n"
                               "# HELP t_half Half.\n# TYPE t_half gauge\nt_half 2.5\n");
    free(shown);
}

static void test_histogram_is_cumulative(void **state)
{
    (void)state;
    const struct metrics_row row = {.name = "t_seconds",
                                    .type = METRICS_HIST,
                                    .help = "Time.",
                                    .labels = "x=\"y\"",
                                    .value = &latency,
                                    .scale = 1e-6};
    hist_add(&latency, 3);
    hist_add(&latency, 1000);
    hist_add(&latency, (uint64_t)1 << 50);
    assert_int_equal(metrics_add(&metrics, &row, 1), 0);
    char *shown = text();
    assert_non_null(strstr(shown, "t_seconds_bucket{x=\"y\",le=\"1e-06\"} 0\n"));
    assert_non_null(strstr(shown, "t_seconds_bucket{x=\"y\",le=\"3e-06\"} 1\n"));
    assert_non_null(strstr(shown, "t_seconds_bucket{x=\"y\",le=\"0.000511\"} 1\n"));
    assert_non_null(strstr(shown, "t_seconds_bucket{x=\"y\",le=\"0.001023\"} 2\n"));
    assert_non_null(strstr(shown, "t_seconds_bucket{x=\"y\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(shown, "t_seconds_count{x=\"y\"} 3\n"));
    free(shown);
}

static void test_refused(void **state)
{
    (void)state;
    static struct metrics_row rows[METRICS_ROWS_MAX];
    for (size_t i = 0; i < METRICS_ROWS_MAX; i++)
        rows[i] = (struct metrics_row){.name = "t", .type = METRICS_COUNTER, .help = "T.", .value = &draws};
    rows[3].name = "t-t";
    assert_int_equal(metrics_add(&metrics, rows, 4), ERR_MALFORMED);
    rows[3].name = "t";
    rows[3].help = "two\nlines";
    assert_int_equal(metrics_add(&metrics, rows, 4), ERR_MALFORMED);
    rows[3].help = "T.";
    rows[3].value = NULL;
    assert_int_equal(metrics_add(&metrics, rows, 4), ERR_MALFORMED);
    rows[3].value = &draws;
    assert_int_equal(metrics.count, 0);
    assert_int_equal(metrics_add(&metrics, rows, METRICS_ROWS_MAX), 0);
    assert_int_equal(metrics_add(&metrics, rows, 1), ERR_FULL);
}

// ---- Over HTTP -----------------------------------------------------------------------------------------------------

static bool is_ready;

static bool on_ready(void *arg, char *reason, size_t size)
{
    (void)arg;
    snprintf(reason, size, "no Redis");
    return is_ready;
}

// One request, the whole answer.
static const char *ask(struct loop *loop, uint16_t port, const char *request)
{
    static char answer[65536];
    char address[32];
    struct sockaddr_storage sa;
    socklen_t sa_len;
    size_t len = 0;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    assert_int_equal(sock_parse(address, &sa, &sa_len), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sa_len), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 200; i++) {
        loop_run_once(loop, 10);
        ssize_t got = read(fd, answer + len, sizeof answer - 1 - len);
        if (got == 0)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    answer[len] = '\0';
    close(fd);
    return answer;
}

static const char *long_head(void)
{
    static char request[9000] = "GET /livez HTTP/1.1\r\nX: ";
    memset(request + strlen(request), 'x', sizeof request - strlen(request) - 1);
    return request;
}

#define GET(path_) "GET " path_ " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_http(void **state)
{
    (void)state;
    const struct metrics_row row = {.name = "t_total", .type = METRICS_COUNTER, .help = "T.", .value = &draws};
    struct metrics_http *http = NULL;
    struct loop *loop = loop_new();
    assert_int_equal(metrics_add(&metrics, &row, 1), 0);
    assert_int_equal(metrics_http_open(&http, loop, "nonsense", &metrics, NULL, NULL), ERR_MALFORMED);
    assert_int_equal(metrics_http_open(&http, loop, "127.0.0.1:0", &metrics, on_ready, NULL), 0);
    uint16_t port = metrics_http_port(http);
    assert_non_null(strstr(ask(loop, port, GET("/metrics")), "\nt_total 7\n"));
    assert_non_null(strstr(ask(loop, port, GET("/livez")), "200 OK"));
    assert_non_null(strstr(ask(loop, port, GET("/readyz")), "503 Service Unavailable"));
    assert_non_null(strstr(ask(loop, port, GET("/readyz")), "no Redis"));
    is_ready = true;
    assert_non_null(strstr(ask(loop, port, GET("/readyz")), "\r\n\r\nok\n"));
    assert_non_null(strstr(ask(loop, port, GET("/other")), "404"));
    assert_non_null(strstr(ask(loop, port, "POST /metrics HTTP/1.1\r\nConnection: close\r\n\r\n"), "405 Method"));
    assert_null(strstr(ask(loop, port, "HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\nok"));
    assert_non_null(strstr(ask(loop, port, "GET /livez HTTP/1.0\r\n\r\n"), "\r\n\r\nok\n"));
    assert_non_null(strstr(ask(loop, port, GET("/livez?and-a-long-tail-that-nobody-asked-for")), "404"));
    assert_non_null(strstr(ask(loop, port, "nonsense\r\n\r\n"), "400 Bad Request"));
    assert_non_null(strstr(ask(loop, port, long_head()), "431 Request"));
    metrics_http_close(http);
    metrics_http_close(NULL);
    loop_free(loop);
}

static int dial(uint16_t port)
{
    char address[32];
    struct sockaddr_storage sa;
    socklen_t sa_len;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    assert_int_equal(sock_parse(address, &sa, &sa_len), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sa_len), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static bool is_closed(int fd)
{
    char byte;
    return read(fd, &byte, 1) == 0;
}

// Whoever sits there and says nothing keeps nobody out, and is gone in time, however slowly it speaks.
static void test_connections_are_bounded(void **state)
{
    (void)state;
    struct metrics_http *http = NULL;
    struct loop *loop = loop_new();
    int idle[METRICS_HTTP_CLIENTS_MAX + 4];
    const unsigned count = sizeof idle / sizeof idle[0];
    assert_int_equal(metrics_http_open(&http, loop, "127.0.0.1:0", &metrics, NULL, NULL), 0);
    uint16_t port = metrics_http_port(http);
    struct monotime begin = loop_now_exact();
    for (unsigned i = 0; i < count; i++) {
        idle[i] = dial(port);
        loop_run_once(loop, 50);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(is_closed(idle[i]), i < 4);
    assert_non_null(strstr(ask(loop, port, GET("/livez")), "200 OK"));
    static const char head[] = "GET /livez HTTP/1.1\r\nX: ";
    bool closed = false;
    struct monotime dripped = begin;
    assert_int_equal(write(idle[count - 1], head, sizeof head - 1), sizeof head - 1);
    while (!closed && monotime_diff_ms(loop_now_exact(), begin) < 3 * METRICS_HTTP_TIMEOUT_MS) {
        if (monotime_diff_ms(loop_now_exact(), dripped) >= 50) {
            (void)!write(idle[count - 1], "x", 1);
            dripped = loop_now_exact();
        }
        loop_run_once(loop, 20);
        closed = is_closed(idle[count - 1]);
    }
    assert_true(closed);
    assert_in_range(monotime_diff_ms(loop_now_exact(), begin), METRICS_HTTP_TIMEOUT_MS - 100,
                    2 * METRICS_HTTP_TIMEOUT_MS);
    for (unsigned i = 0; i < count; i++)
        close(idle[i]);
    metrics_http_close(http);
    loop_free(loop);
}

// Without descriptors nobody can be accepted: that is tried again now and then, and the loop does not spin meanwhile.
static void test_without_descriptors(void **state)
{
    (void)state;
    struct metrics_http *http = NULL;
    struct loop *loop = loop_new();
    struct rlimit was, none;
    assert_int_equal(metrics_http_open(&http, loop, "127.0.0.1:0", &metrics, NULL, NULL), 0);
    int fd = dial(metrics_http_port(http));
    assert_int_equal(write(fd, GET("/livez"), sizeof GET("/livez") - 1), sizeof GET("/livez") - 1);
    int next = dup(fd);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    unsigned turns = 0;
    struct monotime began = loop_now_exact();
    for (; monotime_diff_ms(loop_now_exact(), began) < 300; turns++)
        loop_run_once(loop, 50);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_in_range(turns, 1, 20);
    char answer[512];
    ssize_t got = -1;
    for (began = loop_now_exact(); got < 0 && monotime_diff_ms(loop_now_exact(), began) < 10000;) {
        loop_run_once(loop, 50);
        got = read(fd, answer, sizeof answer - 1);
    }
    answer[got > 0 ? got : 0] = '\0';
    assert_non_null(strstr(answer, "200 OK"));
    close(fd);
    metrics_http_close(http);
    loop_free(loop);
}

static void test_process(void **state)
{
    (void)state;
    assert_int_equal(metrics_process_add(&metrics), 0);
    char *shown = text();
    static const char *const names[] = {"process_start_time_seconds ", "process_cpu_seconds_total ",
                                        "process_resident_memory_bytes ", "process_max_fds "};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\n%s", names[i]);
        const char *sample = strstr(shown, wanted);
        assert_non_null(sample);
        assert_true(strtod(sample + strlen(wanted), NULL) > 0);
    }
    assert_non_null(strstr(shown, "tessera_build_info{version=\"" TESSERA_VERSION "\"} 1\n"));
    free(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_text, setup),
        cmocka_unit_test_setup(test_histogram_is_cumulative, setup),
        cmocka_unit_test_setup(test_refused, setup),
        cmocka_unit_test_setup(test_http, setup),
        cmocka_unit_test_setup(test_connections_are_bounded, setup),
        cmocka_unit_test_setup(test_without_descriptors, setup),
        cmocka_unit_test_setup(test_process, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
