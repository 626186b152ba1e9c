#include "common/io/conf.h"

#include "common/io/conf_impl.h"
#include "common/io/conf_value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ENV_PREFIX "TESSERA_"
#define NAME_SIZE 96
#define FILE_MAX 65536 // bytes of a configuration or secret file

int conf_fail(struct conf_reading *reading, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reading->error, CONF_ERROR_SIZE, format, args);
    va_end(args);
    return err;
}

const struct conf_option *conf_option_at(const struct conf_reading *reading, size_t index)
{
    return &reading->conf->program->options[index];
}

// TESSERA_DRAW_RATE for draw-rate.
static void env_name(char name[NAME_SIZE], const char *option)
{
    size_t len = (size_t)snprintf(name, NAME_SIZE, "%s", ENV_PREFIX);
    for (; *option != '\0' && len < NAME_SIZE - 1; option++) {
        char c = *option;
        name[len++] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    name[len] = '\0';
}

void conf_forget(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

int conf_take(struct conf_reading *reading, size_t index, enum conf_source source, const char *text)
{
    if (source < reading->conf->values[index].source)
        return 0;
    char *copy = strdup(text);
    if (copy == NULL)
        return conf_fail(reading, ERR_NOMEM, "out of memory");
    conf_forget(reading->conf->values[index].text);
    free(reading->conf->values[index].path);
    reading->conf->values[index].path = NULL;
    reading->conf->values[index].text = copy;
    reading->conf->values[index].source = source;
    return 0;
}

// The whole file with a closing NUL, or NULL with errno (EFBIG when it is too long, EILSEQ when there is a NUL in it:
// what stands behind it would count for nothing, in a secret above all).
static char *read_file(const char *path)
{
    char *text = malloc(FILE_MAX + 1);
    FILE *file = fopen(path, "re");
    if (text == NULL || file == NULL)
        goto fail;
    size_t len = fread(text, 1, FILE_MAX + 1, file);
    if (ferror(file))
        goto fail;
    if (len > FILE_MAX || memchr(text, '\0', len) != NULL) {
        errno = len > FILE_MAX ? EFBIG : EILSEQ;
        goto fail;
    }
    text[len] = '\0';
    fclose(file);
    return text;

fail:;
    int saved = errno;
    if (file != NULL)
        fclose(file);
    free(text);
    errno = saved;
    return NULL;
}

static char *read_secret(const char *path)
{
    char *text = read_file(path);
    size_t len = text != NULL ? strlen(text) : 0;
    if (len > 0 && text[len - 1] == '\n')
        text[len - 1] = '\0';
    return text;
}

int conf_take_file(struct conf_reading *reading, size_t index, enum conf_source source, const char *path,
                   const char *said_by)
{
    if (source < reading->conf->values[index].source)
        return 0;
    char *text = read_secret(path);
    if (text == NULL)
        return conf_fail(reading, ERR_IO, "%s: cannot read \"%s\": %s", said_by, path, strerror(errno));
    int err = conf_take(reading, index, source, text);
    conf_forget(text);
    if (err != 0)
        return err;
    reading->conf->values[index].path = strdup(path);
    return reading->conf->values[index].path != NULL ? 0 : conf_fail(reading, ERR_NOMEM, "out of memory");
}

int conf_read_again(const struct conf *conf, const char *name, char **text, char error[CONF_ERROR_SIZE])
{
    size_t i = 0;
    while (i < conf->program->count && strcmp(conf->program->options[i].name, name) != 0)
        i++;
    if (i == conf->program->count || conf->values[i].path == NULL)
        return ERR_NOT_FOUND;
    char why[256];
    *text = read_secret(conf->values[i].path);
    if (*text == NULL) {
        snprintf(error, CONF_ERROR_SIZE, "%s: cannot read \"%s\": %s", name, conf->values[i].path, strerror(errno));
        return ERR_IO;
    }
    int err = conf_value_check(&conf->program->options[i], *text, why, sizeof why);
    if (err != 0) {
        snprintf(error, CONF_ERROR_SIZE, "%s: must be %s", name, why);
        conf_forget(*text);
    }
    return err;
}

// ---- Environment ---------------------------------------------------------------------------------------------------

static int take_variable(struct conf_reading *reading, const char *name, size_t name_len, const char *value)
{
    for (size_t i = 0; i < reading->conf->program->count; i++) {
        const struct conf_option *option = conf_option_at(reading, i);
        const struct conf_flag as_flag = {.name = name, .name_len = name_len};
        char wanted[NAME_SIZE];
        env_name(wanted, option->name);
        // Compose files hand on variables that nobody set as empty ones.
        if (conf_flag_is(&as_flag, wanted, ""))
            return value[0] != '\0' ? conf_take(reading, i, CONF_ENV, value) : 0;
        if (option->type == CONF_SECRET && conf_flag_is(&as_flag, wanted, "_FILE"))
            return value[0] != '\0' ? conf_take_file(reading, i, CONF_ENV_FILE, value, wanted) : 0;
    }
    if (reading->conf->program->beside_others)
        return 0;
    return conf_fail(reading, ERR_MALFORMED, "unknown environment variable %.*s (--help lists all options)",
                     (int)name_len, name);
}

static int take_environment(struct conf_reading *reading, char **env, const char **config_path)
{
    for (; *env != NULL; env++) {
        size_t name_len = strcspn(*env, "=");
        if (strncmp(*env, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 || (*env)[name_len] != '=')
            continue;
        const char *value = *env + name_len + 1;
        if (strncmp(*env, ENV_PREFIX "CONFIG=", name_len + 1) == 0) {
            if (*config_path == NULL && value[0] != '\0')
                *config_path = value;
            continue;
        }
        int err = take_variable(reading, *env, name_len, value);
        if (err != 0)
            return err;
    }
    return 0;
}

// ---- File ----------------------------------------------------------------------------------------------------------

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
        text[--len] = '\0';
    return text;
}

// `of_others`: lines that are no option here are passed over.
static int take_line(struct conf_reading *reading, const char *path, bool of_others, unsigned number, char *line)
{
    char *name = trim(line);
    if (name[0] == '\0' || name[0] == '#')
        return 0;
    char *equals = strchr(name, '=');
    if (equals == NULL)
        return conf_fail(reading, ERR_MALFORMED, "%s line %u: not `name = value`", path, number);
    *equals = '\0';
    name = trim(name);
    const struct conf_flag as_flag = {.name = name, .name_len = strlen(name)};
    for (size_t i = 0; i < reading->conf->program->count; i++) {
        const struct conf_option *option = conf_option_at(reading, i);
        bool file = option->type == CONF_SECRET && conf_flag_is(&as_flag, option->name, "-file");
        if (!file && !conf_flag_is(&as_flag, option->name, ""))
            continue;
        if (reading->conf->values[i].source == CONF_FILE)
            return conf_fail(reading, ERR_MALFORMED, "%s line %u: %s is given twice", path, number, option->name);
        return file ? conf_take_file(reading, i, CONF_FILE, trim(equals + 1), name)
                    : conf_take(reading, i, CONF_FILE, trim(equals + 1));
    }
    return of_others ? 0 : conf_fail(reading, ERR_MALFORMED, "%s line %u: unknown option %s", path, number, name);
}

static int take_config_file(struct conf_reading *reading, const char *path, bool of_others)
{
    char *text = read_file(path);
    if (text == NULL)
        return conf_fail(reading, ERR_IO, "cannot read configuration \"%s\": %s", path, strerror(errno));
    int err = 0;
    unsigned number = 1;
    for (char *line = text, *next; line != NULL && err == 0; line = next, number++) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        err = take_line(reading, path, of_others, number, line);
    }
    explicit_bzero(text, FILE_MAX + 1);
    free(text);
    return err;
}

// ---- All together --------------------------------------------------------------------------------------------------

static int set_all(struct conf_reading *reading, void *target)
{
    for (size_t i = 0; i < reading->conf->program->count; i++) {
        const struct conf_option *option = conf_option_at(reading, i);
        const char *text = reading->conf->values[i].text;
        char why[256];
        int err = conf_value_set(option, target, text, why, sizeof why);
        if (err != 0)
            return conf_fail(reading, err, "%s = \"%.100s\" (%s): must be %s", option->name,
                             option->type == CONF_SECRET ? "***" : text,
                             conf_source_text(reading->conf->values[i].source), why);
    }
    return 0;
}

int conf_parse(struct conf *conf, const struct conf_program *program, void *target, int argc, char **argv, char **env,
               char error[CONF_ERROR_SIZE])
{
    struct conf_reading reading = {conf, error};
    const char *config_path = NULL;
    *conf = (struct conf){.program = program};
    error[0] = '\0';
    if (program->count > CONF_OPTIONS_MAX)
        return conf_fail(&reading, ERR_RANGE, "too many options in the program");
    int action = conf_scan_flags(&reading, argc, argv, &config_path);
    if (action < 0 || action == CONF_HELP || action == CONF_VERSION)
        return action;

    bool named_here = config_path != NULL; // by the command line
    int err = 0;
    for (size_t i = 0; i < program->count && err == 0; i++)
        err = conf_take(&reading, i, CONF_DEFAULT, program->options[i].fallback);
    if (err == 0)
        err = take_environment(&reading, env, &config_path);
    if (err == 0 && config_path != NULL)
        err = take_config_file(&reading, config_path, program->beside_others && !named_here);
    if (err == 0)
        err = conf_take_flags(&reading, argc, argv);
    if (err == 0)
        err = set_all(&reading, target);
    return err != 0 ? err : action;
}

bool conf_is_given(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->program->count; i++) {
        if (strcmp(conf->program->options[i].name, name) == 0)
            return conf->values[i].source != CONF_DEFAULT;
    }
    return false;
}

void conf_fini(struct conf *conf)
{
    for (size_t i = 0; i < CONF_OPTIONS_MAX; i++) {
        conf_forget(conf->values[i].text);
        free(conf->values[i].path);
        conf->values[i].text = conf->values[i].path = NULL;
    }
}
