// The command line of conf.h.

#include "common/io/conf_impl.h"
#include "common/io/conf_value.h"

#include <string.h>

bool conf_flag_is(const struct conf_flag *flag, const char *name, const char *suffix)
{
    size_t len = strlen(name);
    return flag->name_len == len + strlen(suffix) && memcmp(flag->name, name, len) == 0 &&
           memcmp(flag->name + len, suffix, flag->name_len - len) == 0;
}

static bool flag_split(struct conf_flag *flag, const char *arg)
{
    if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0')
        return false;
    flag->name = arg + 2;
    flag->name_len = strcspn(flag->name, "=");
    flag->value = flag->name[flag->name_len] == '=' ? flag->name + flag->name_len + 1 : NULL;
    return true;
}

static bool is_bool_word(const char *text)
{
    static const struct conf_option option = {.type = CONF_BOOL};
    bool ignored;
    char why[64];
    return text != NULL && conf_value_set(&option, &ignored, text, why, sizeof why) == 0;
}

// Takes one flag; `next` is the argument after it. Returns how many arguments were used, or an error.
static int take_flag(struct conf_reading *reading, const struct conf_flag *flag, const char *next)
{
    for (size_t i = 0; i < reading->conf->program->count; i++) {
        const struct conf_option *option = conf_option_at(reading, i);
        bool file = option->type == CONF_SECRET && conf_flag_is(flag, option->name, "-file");
        if (!file && !conf_flag_is(flag, option->name, ""))
            continue;
        const char *value = flag->value != NULL ? flag->value : next;
        bool alone = option->type == CONF_BOOL && flag->value == NULL && !is_bool_word(next);
        if (alone)
            value = "true";
        if (value == NULL)
            return conf_fail(reading, ERR_MALFORMED, "--%.*s needs a value", (int)flag->name_len, flag->name);
        int err = file ? conf_take_file(reading, i, CONF_FLAG_FILE, value, flag->name)
                       : conf_take(reading, i, CONF_FLAG, value);
        if (err != 0)
            return err;
        return alone || flag->value != NULL ? 1 : 2;
    }
    return conf_fail(reading, ERR_MALFORMED, "unknown option --%.*s (--help lists all)", (int)flag->name_len,
                     flag->name);
}

int conf_scan_flags(struct conf_reading *reading, int argc, char **argv, const char **config_path)
{
    int action = CONF_RUN;
    for (int i = 1; i < argc; i++) {
        struct conf_flag flag;
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
            return CONF_HELP;
        if (strcmp(argv[i], "--version") == 0)
            return CONF_VERSION;
        if (strcmp(argv[i], "--print-config") == 0)
            action = CONF_PRINT;
        if (!flag_split(&flag, argv[i]) || !conf_flag_is(&flag, "config", ""))
            continue;
        *config_path = flag.value != NULL ? flag.value : argv[i + 1];
        if (*config_path == NULL)
            return conf_fail(reading, ERR_MALFORMED, "--config needs a value");
    }
    return action;
}

int conf_take_flags(struct conf_reading *reading, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        struct conf_flag flag;
        if (!flag_split(&flag, argv[i]))
            return conf_fail(reading, ERR_MALFORMED, "unexpected argument \"%s\" (--help lists all options)", argv[i]);
        int used = 1;
        if (conf_flag_is(&flag, "config", ""))
            used = flag.value != NULL ? 1 : 2;
        else if (!conf_flag_is(&flag, "print-config", ""))
            used = take_flag(reading, &flag, argv[i + 1]);
        if (used < 0)
            return used;
        i += used;
    }
    return 0;
}
