#include "check.h"

#include "common/io/conf.h"
#include "common/io/conf_common.h"

#include <stdio.h>
#include <stdlib.h>

struct options {
    struct conf_common common;
    bool tls;
    int64_t rate;
    int64_t cooldown_ms;
    int64_t memory;
    const char *name;
    struct addr_list proxies;
    const char *listen;
};

static const struct conf_option rows[] = {
    CONF_COMMON_ROWS(struct options, common, "127.0.0.1:9100"),
    {"tls", CONF_BOOL, "no", 0, 0, NULL, offsetof(struct options, tls), "use TLS"},
    {"draw-rate", CONF_INT, "5", 1, 100, NULL, offsetof(struct options, rate), "draws a second"},
    {"cooldown", CONF_DURATION, "5s", 0, 3600000, NULL, offsetof(struct options, cooldown_ms), "waiting time"},
    {"memory", CONF_SIZE, "64MiB", 0, 0, NULL, offsetof(struct options, memory), "memory for replicas"},
    {"name", CONF_STRING, "canvas", 1, 8, NULL, offsetof(struct options, name), "name of the canvas"},
    {"proxies", CONF_CIDRS, "", 0, 0, NULL, offsetof(struct options, proxies), "trusted balancers"},
    {"listen", CONF_ADDRESS, ":8080", 0, 0, NULL, offsetof(struct options, listen), "public address"},
};

static const struct conf_program program = {
    .name = "tessera-test",
    .version = "1.2.3",
    .summary = "for tests",
    .options = rows,
    .count = sizeof rows / sizeof rows[0],
};

static struct conf conf;
static struct options options;
static char error[CONF_ERROR_SIZE];

// Arguments and environment as texts cut at '|'.
static int parse(const char *args, const char *env)
{
    static char arg_text[512];
    static char env_text[512];
    static char own_name[] = "tessera-test";
    char *argv[16] = {own_name};
    char *envp[16] = {0};
    int argc = 1;
    int count = 0;
    snprintf(arg_text, sizeof arg_text, "%s", args);
    snprintf(env_text, sizeof env_text, "%s", env);
    for (char *at = strtok(arg_text, "|"); at != NULL; at = strtok(NULL, "|"))
        argv[argc++] = at;
    for (char *at = strtok(env_text, "|"); at != NULL; at = strtok(NULL, "|"))
        envp[count++] = at;
    conf_fini(&conf);
    memset(&options, 0, sizeof options);
    return conf_parse(&conf, &program, &options, argc, argv, envp, error);
}

static void write_file(char path[32], const char *text)
{
    strcpy(path, "/tmp/test_conf.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse("", "PATH=/bin|OTHER"), CONF_RUN);
    assert_false(options.tls);
    assert_int_equal(options.rate, 5);
    assert_int_equal(options.cooldown_ms, 5000);
    assert_int_equal(options.memory, 64 << 20);
    assert_string_equal(options.name, "canvas");
    assert_int_equal(options.proxies.count, 0);
    assert_string_equal(options.listen, ":8080");
    assert_string_equal(options.common.redis, "127.0.0.1:6379");
    assert_int_equal(options.common.log_level, LOG_INFO);
    assert_string_equal(options.common.redis_password, "");
}

static void test_flags(void **state)
{
    (void)state;
    assert_int_equal(
        parse("--tls|--draw-rate=7|--cooldown|250ms|--proxies|10.0.0.0/8|--log-level|debug|--listen=off", ""),
        CONF_RUN);
    assert_true(options.tls);
    assert_int_equal(options.rate, 7);
    assert_int_equal(options.cooldown_ms, 250);
    assert_int_equal(options.proxies.count, 1);
    assert_int_equal(options.common.log_level, LOG_DEBUG);
    assert_string_equal(options.listen, "");
    assert_int_equal(parse("--tls|off|--draw-rate|1|--draw-rate|2", ""), CONF_RUN);
    assert_false(options.tls);
    assert_int_equal(options.rate, 2);
    assert_int_equal(parse("--tls=true", ""), CONF_RUN);
    assert_true(options.tls);
}

static void test_precedence(void **state)
{
    (void)state;
    char path[32];
    char args[128];
    write_file(path, "# test\n\n draw-rate = 11 \ncooldown=1m\nname = # one\r\n");
    snprintf(args, sizeof args, "--config=%s", path);
    assert_int_equal(parse(args, ""), CONF_RUN);
    assert_int_equal(options.rate, 11);
    assert_int_equal(options.cooldown_ms, 60000);
    assert_string_equal(options.name, "# one");
    assert_int_equal(parse(args, "TESSERA_DRAW_RATE=12"), CONF_RUN);
    assert_int_equal(options.rate, 12);
    snprintf(args, sizeof args, "--draw-rate|13|--config|%s", path);
    assert_int_equal(parse(args, "TESSERA_DRAW_RATE=12"), CONF_RUN);
    assert_int_equal(options.rate, 13);
    snprintf(args, sizeof args, "TESSERA_CONFIG=%s", path);
    assert_int_equal(parse("", args), CONF_RUN);
    assert_int_equal(options.rate, 11);
    assert_int_equal(parse("", "TESSERA_DRAW_RATE="), CONF_RUN); // empty is as good as not there
    assert_int_equal(options.rate, 5);
    unlink(path);
}

static void rewrite_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *long_text(void)
{
    static char text[600];
    memset(text, 'x', sizeof text - 1);
    return text;
}

static void test_secrets(void **state)
{
    (void)state;
    char path[32];
    char text[128];
    write_file(path, "two words\n");
    snprintf(text, sizeof text, "TESSERA_REDIS_PASSWORD_FILE=%s", path);
    assert_int_equal(parse("", text), CONF_RUN);
    assert_string_equal(options.common.redis_password, "two words");
    snprintf(text, sizeof text, "TESSERA_REDIS_PASSWORD_FILE=%s|TESSERA_REDIS_PASSWORD=direct", path);
    assert_int_equal(parse("", text), CONF_RUN);
    assert_string_equal(options.common.redis_password, "direct");
    snprintf(text, sizeof text, "--redis-password-file|%s", path);
    assert_int_equal(parse(text, "TESSERA_REDIS_PASSWORD=direct"), CONF_RUN);
    assert_string_equal(options.common.redis_password, "two words");
    unlink(path);
    assert_int_equal(parse(text, ""), ERR_IO);
    assert_non_null(strstr(error, path));
}

// As on SIGHUP: the file is the truth, and a bad one changes nothing.
static void test_secret_is_read_again(void **state)
{
    (void)state;
    char path[32], config[32], text[128], *again = NULL;
    write_file(path, "before\n");
    snprintf(text, sizeof text, "redis-password-file = %s\n", path);
    write_file(config, text);
    snprintf(text, sizeof text, "--config|%s", config);
    assert_int_equal(parse(text, ""), CONF_RUN);
    assert_string_equal(options.common.redis_password, "before");
    rewrite_file(path, "after\n");
    assert_int_equal(conf_read_again(&conf, "redis-password", &again, error), 0);
    assert_string_equal(again, "after");
    conf_forget(again);
    assert_string_equal(options.common.redis_password, "before");
    rewrite_file(path, long_text());
    assert_int_equal(conf_read_again(&conf, "redis-password", &again, error), ERR_RANGE);
    assert_null(strstr(error, "xxx"));
    unlink(path);
    assert_int_equal(conf_read_again(&conf, "redis-password", &again, error), ERR_IO);
    assert_non_null(strstr(error, path));
    assert_int_equal(conf_read_again(&conf, "cluster-secret", &again, error), ERR_NOT_FOUND);
    assert_int_equal(parse("--redis-password=direct", ""), CONF_RUN);
    assert_int_equal(conf_read_again(&conf, "redis-password", &again, error), ERR_NOT_FOUND);
    unlink(config);
}

// Binary secrets would silently be as short as their first NUL says.
static void test_secret_with_a_nul(void **state)
{
    (void)state;
    char path[32];
    char text[128];
    write_file(path, "two words\n");
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, 3, SEEK_SET);
    fputc('\0', file);
    fclose(file);
    snprintf(text, sizeof text, "--redis-password-file|%s", path);
    assert_int_equal(parse(text, ""), ERR_IO);
    assert_non_null(strstr(error, path));
    unlink(path);
}

static void test_errors_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *args;
        const char *env;
        int err;
        const char *says;
    } cases[] = {
        {"--draw-rate|0", "", ERR_RANGE, "1 to 100"},
        {"--draw-rate|101", "", ERR_RANGE, "draw-rate = \"101\" (command line)"},
        {"--draw-rate|5x", "", ERR_MALFORMED, "a whole number"},
        {"--draw-rate|99999999999999999999", "", ERR_RANGE, "1 to 100"},
        {"", "TESSERA_COOLDOWN=5", ERR_MALFORMED, "(environment)"},
        {"--cooldown|2h", "", ERR_RANGE, "or 0, from 0 to 1h"},
        {"--memory|1MB", "", ERR_MALFORMED, "64KiB"},
        {"--name|123456789", "", ERR_RANGE, "1 to 8 characters"},
        {"--name=", "", ERR_RANGE, "1 to 8 characters"},
        {"--log-level|loud", "", ERR_MALFORMED, "one of debug|info|warn|error"},
        {"--log-level|inf", "", ERR_MALFORMED, "one of"},
        {"--proxies|10.0.0.1/8", "", ERR_MALFORMED, "networks like"},
        {"--listen|8080", "", ERR_MALFORMED, "an address like"},
        {"--tls=maybe", "", ERR_MALFORMED, "true or false"},
        {"--drawrate|5", "", ERR_MALFORMED, "unknown option --drawrate"},
        {"--draw|5", "", ERR_MALFORMED, "unknown option --draw"},
        {"--name-file|5", "", ERR_MALFORMED, "unknown option --name-file"},
        {"--draw-rate", "", ERR_MALFORMED, "needs a value"},
        {"--config", "", ERR_MALFORMED, "needs a value"},
        {"5", "", ERR_MALFORMED, "unexpected argument"},
        {"--", "", ERR_MALFORMED, "unexpected argument"},
        {"", "TESSERA_DRAWRATE=5", ERR_MALFORMED, "unknown environment variable TESSERA_DRAWRATE"},
        {"--config|/nonexistent", "", ERR_IO, "/nonexistent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].args, cases[i].env), cases[i].err);
        if (strstr(error, cases[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error, cases[i].says);
    }
}

static void test_file_errors(void **state)
{
    (void)state;
    static const char *const texts[][2] = {{"draw-rate = 1\ndraw-rate = 2\n", "line 2: draw-rate is given twice"},
                                           {"\n\nnothing\n", "line 3: not `name = value`"},
                                           {"speed = 3", "line 1: unknown option speed"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char path[32];
        char args[64];
        write_file(path, texts[i][0]);
        snprintf(args, sizeof args, "--config=%s", path);
        assert_int_equal(parse(args, ""), ERR_MALFORMED);
        assert_non_null(strstr(error, texts[i][1]));
        unlink(path);
    }
}

static void test_secret_is_never_shown(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(parse("--print-config|--cluster-secret=hunter2", "TESSERA_DRAW_RATE=9"), CONF_PRINT);
    conf_print(&conf, out);
    fclose(out);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "cluster-secret = ***  # command line\n"));
    assert_non_null(strstr(text, "redis-password =   # default\n"));
    assert_non_null(strstr(text, "draw-rate = 9  # environment\n"));
    free(text);
}

static void test_help_lists_all(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(parse("--nonsense|--help", "TESSERA_X=1"), CONF_HELP);
    assert_int_equal(parse("-h", ""), CONF_HELP);
    assert_int_equal(parse("--version", ""), CONF_VERSION);
    conf_print_help(&program, out);
    fclose(out);
    for (size_t i = 0; i < program.count; i++) {
        char flag[64];
        snprintf(flag, sizeof flag, "--%s", rows[i].name);
        assert_non_null(strstr(text, flag));
        assert_non_null(strstr(text, rows[i].help));
    }
    free(text);
}

static void test_units(void **state)
{
    (void)state;
    int64_t value;
    assert_int_equal(conf_text_duration_ms("0", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(conf_text_duration_ms("2h", &value), 0);
    assert_int_equal(value, 7200000);
    assert_int_equal(conf_text_duration_ms("5", &value), ERR_MALFORMED);
    assert_int_equal(conf_text_duration_ms("", &value), ERR_MALFORMED);
    assert_int_equal(conf_text_duration_ms("s", &value), ERR_MALFORMED);
    assert_int_equal(conf_text_duration_ms("-1s", &value), ERR_MALFORMED);
    assert_int_equal(conf_text_duration_ms("9223372036854775807h", &value), ERR_RANGE);
    assert_int_equal(conf_text_size("2GiB", &value), 0);
    assert_true(value == (int64_t)2 << 30);
    assert_int_equal(conf_text_size("9999999999999GiB", &value), ERR_RANGE);
    assert_int_equal(conf_text_int("-9223372036854775807", &value), 0);
    assert_int_equal(conf_text_int("9223372036854775808", &value), ERR_RANGE);
    assert_int_equal(conf_text_int("-", &value), ERR_MALFORMED);
}

static int teardown(void **state)
{
    (void)state;
    conf_fini(&conf);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_secret_with_a_nul),
        cmocka_unit_test(test_secret_is_read_again),
        cmocka_unit_test(test_errors_say_what_is_wrong),
        cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_secret_is_never_shown),
        cmocka_unit_test(test_help_lists_all),
        cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
