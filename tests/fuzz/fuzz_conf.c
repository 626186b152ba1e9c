// The options of both programs: a configuration file, arguments, environment and files of secrets, all of any text. No
// file of this machine is opened: the linker hands fopen over.
//
//   the configuration file, a zero, arguments and variables with a zero behind each
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/token.h"
#include "common/io/conf.h"
#include "gateway/options.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 16

static char *file;

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (strcmp(mode, "re") != 0) // libFuzzer's own
        return __real_fopen(path, mode);
    if (strcmp(path, "the file") == 0 && file[0] != '\0')
        return fmemopen(file, strlen(file), "r");
    errno = ENOENT;
    return NULL;
}

static void check_options(const struct conf *conf, const struct options *options)
{
    char error[CONF_ERROR_SIZE];
    static struct token_keys keys;
    FILE *out = fopen("/dev/null", "w");
    FUZZ_CHECK(out != NULL);
    conf_print(conf, out);
    fclose(out);
    if (options_check(options, error, sizeof error) != 0)
        FUZZ_CHECK(strlen(error) < sizeof error && error[0] != '\0');
    if (token_keys_parse(&keys, options->token_keys, strlen(options->token_keys), error, sizeof error) == 0)
        FUZZ_CHECK(keys.count >= 1 && keys.count <= TOKEN_KEYS_MAX);
    token_keys_fini(&keys);
}

static void check_values(const char *text)
{
    int64_t value;
    if (conf_text_duration_ms(text, &value) == 0 || conf_text_size(text, &value) == 0)
        FUZZ_CHECK(value >= 0);
    (void)!conf_text_int(text, &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "tessera-gateway", config[] = "--config=the file";
    char *argv[WORDS_MAX + 3] = {name, config}, *env[WORDS_MAX + 1] = {0};
    int argc = 2, variables = 0;
    struct conf conf;
    struct options options = {0};
    char error[CONF_ERROR_SIZE];
    char *text = malloc(size + 1), *end = text + size;
    memcpy(text, data, size);
    *end = '\0';
    file = text;
    for (char *at = text + strlen(text) + 1; at < end; at += strlen(at) + 1) {
        check_values(at);
        if (strncmp(at, "TESSERA_", 8) == 0 && variables < WORDS_MAX)
            env[variables++] = at;
        else if (argc < WORDS_MAX)
            argv[argc++] = at;
    }
    int action = conf_parse(&conf, &options_program, &options, argc, argv, env, error);
    FUZZ_CHECK(action >= 0 || (error[0] != '\0' && strlen(error) < sizeof error));
    if (action == CONF_RUN || action == CONF_PRINT)
        check_options(&conf, &options);
    conf_fini(&conf);
    free(text);
    return 0;
}
