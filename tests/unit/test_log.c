#include "check.h"

#include "common/core/err.h"
#include "common/io/log.h"
#include "common/io/log_addr.h"

#include <fcntl.h>
#include <stdio.h>

#define WALL_MS 1767323045678 // 2026-01-02T03:04:05.678Z

static char line[4096];

static void format(enum log_format format, const struct log_field *fields, size_t count)
{
    size_t len = log_line(line, sizeof line - 1, format, WALL_MS, "gateway", LOG_WARN, "it happened", fields, count);
    line[len] = '\0';
}

static void test_logfmt(void **state)
{
    (void)state;
    const struct log_field fields[] = {
        LOG_STR("plain", "10.0.0.1:80"),
        LOG_STR("spaced", "a b"),
        LOG_U64("big", UINT64_MAX),
        LOG_I64("minus", -5),
        LOG_HEX("id", 0xabc),
        LOG_BOOL("yes", true),
        LOG_ERR(ERR_FULL),
        LOG_STR("none", NULL),
        LOG_BYTES("raw", "ab\0cd", 5),
    };
    format(LOG_LOGFMT, fields, sizeof fields / sizeof fields[0]);
    assert_string_equal(line, "ts=2026-01-02T03:04:05.678Z level=warn program=gateway msg=\"it happened\" "
                              "plain=10.0.0.1:80 spaced=\"a b\" big=18446744073709551615 minus=-5 "
                              "id=0000000000000abc yes=true error=full none=\"\" raw=\"ab\\u0000cd\"\n");
}

static void test_json(void **state)
{
    (void)state;
    const struct log_field fields[] = {LOG_STR("plain", "x"), LOG_U64("small", 7), LOG_U64("big", UINT64_MAX)};
    format(LOG_JSON, fields, 3);
    assert_string_equal(line,
                        "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"program\":\"gateway\","
                        "\"msg\":\"it happened\",\"plain\":\"x\",\"small\":7,\"big\":\"18446744073709551615\"}\n");
}

static void test_strangers_cannot_forge_lines(void **state)
{
    (void)state;
    const struct log_field fields[] = {LOG_STR("agent", "x\" level=error\n\x1b[2J\xff\\")};
    format(LOG_LOGFMT, fields, 1);
    assert_non_null(strstr(line, "agent=\"x\\\" level=error\\n\\u001b[2J\\u00ff\\\\\"\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_long_values_are_cut(void **state)
{
    (void)state;
    char text[LOG_VALUE_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const struct log_field fields[] = {LOG_STR("v", text)};
    format(LOG_LOGFMT, fields, 1);
    assert_string_equal(line + strlen(line) - 6, "x...\"\n");
}

static void test_what_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    const struct log_field fields[] = {LOG_STR("first", "1"), LOG_STR("second", "2")};
    for (size_t size = 0; size < 200; size++) {
        memset(line, '!', sizeof line);
        size_t len = log_line(line, size, LOG_JSON, WALL_MS, "gateway", LOG_WARN, "m", fields, 2);
        assert_true(len <= size);
        assert_int_equal(line[size], '!');
        if (len > 0) {
            assert_int_equal(line[0], '{');
            assert_memory_equal(line + len - 2, "}\n", 2);
            unsigned quotes = 0;
            for (size_t i = 0; i < len; i++)
                quotes += line[i] == '"';
            assert_int_equal(quotes % 2, 0);
        }
    }
}

static void test_a_site_falls_silent_and_says_so(void **state)
{
    (void)state;
    int ends[2];
    static char text[65536];
    size_t len = 0;
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_init("test", LOG_INFO, LOG_LOGFMT);
    for (int i = 0; i < 3 * LOG_SITE_PER_S; i++) {
        log_info("again", LOG_I64("i", i));
        log_debug("never");
        // The whole loop lies within a second, or the test began at the end of one: then the next line tells.
    }
    log_warn("no fields");
    dup2(saved, STDERR_FILENO);
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)got;
    unsigned lines = 0;
    for (char *at = text; (at = strstr(at, "msg=again")) != NULL; at++)
        lines++;
    assert_in_range(lines, LOG_SITE_PER_S, 2 * LOG_SITE_PER_S);
    assert_null(strstr(text, "never"));
    assert_non_null(strstr(text, "level=warn program=test msg=\"no fields\"\n"));
    close(ends[0]);
    close(saved);
}

// Whoever reads our log has stopped: nothing waits for him, and the next line that he gets says what he missed.
static void test_nobody_waits_for_a_reader(void **state)
{
    (void)state;
    int ends[2];
    static char text[1 << 20];
    const uint64_t before = *log_lost();
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], text, 4096) > 0)
        continue;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_init("test", LOG_INFO, LOG_LOGFMT);
    log_warn("one");
    log_warn("two");
    assert_int_equal(*log_lost() - before, 2);
    while (read(ends[0], text, sizeof text) > 0)
        continue;
    log_warn("three");
    log_warn("four");
    ssize_t len = read(ends[0], text, sizeof text - 1);
    dup2(saved, STDERR_FILENO);
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "level=warn program=test msg=three lost=2\n"));
    assert_non_null(strstr(text, "level=warn program=test msg=four\n"));
    assert_null(strstr(text, "one"));
    close(ends[0]);
    close(ends[1]);
    close(saved);
}

// Lines about one address can be found, the address cannot. A /64 of IPv6 is one.
static void test_hashed_addresses(void **state)
{
    (void)state;
    static const char *const addresses[] = {"192.0.2.7",   "192.0.2.7",   "192.0.2.8",
                                            "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"};
    char lines[6][256], other[256];
    struct addr addr;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(addr_from_text(&addr, addresses[i], strlen(addresses[i])), 0);
        const struct log_field field = LOG_ADDR("client", &addr);
        assert_int_equal(log_addr_hashed("a secret of the cluster"), 0);
        size_t len = log_line(lines[i], sizeof lines[i] - 1, LOG_LOGFMT, 0, "t", LOG_INFO, "m", &field, 1);
        lines[i][len] = '\0';
        assert_null(strstr(lines[i], "192.0"));
        assert_null(strstr(lines[i], "2001"));
        assert_non_null(strstr(lines[i], " client=h-"));
        assert_int_equal(strlen(strstr(lines[i], "h-")), 2 + 12 + 1);
        assert_int_equal(log_addr_hashed("another secret"), 0);
        len = log_line(other, sizeof other - 1, LOG_LOGFMT, 0, "t", LOG_INFO, "m", &field, 1);
        other[len] = '\0';
        assert_string_not_equal(lines[i], other);
    }
    assert_string_equal(lines[0], lines[1]);
    assert_string_not_equal(lines[0], lines[2]);
    assert_string_equal(lines[3], lines[4]);
    assert_string_not_equal(lines[3], lines[5]);
    log_set_addr_text(addr_to_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_strangers_cannot_forge_lines),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_what_does_not_fit_is_left_out_whole),
        cmocka_unit_test(test_a_site_falls_silent_and_says_so),
        cmocka_unit_test(test_nobody_waits_for_a_reader),
        cmocka_unit_test(test_hashed_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
