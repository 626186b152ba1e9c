// Inside of conf: shared by conf.c (where values come from), conf_flags.c (command line) and conf_print.c. Nobody else
// includes it.
#pragma once

#include "common/io/conf.h"

// What conf_parse hands around.
struct conf_reading {
    struct conf *conf;
    char *error;
};

// Writes the one line of error and returns `err`.
__attribute__((format(printf, 3, 4))) int conf_fail(struct conf_reading *reading, int err, const char *format, ...);

const struct conf_option *conf_option_at(const struct conf_reading *reading, size_t index);

// Takes a value if nothing that counts more is there already.
MUST_CHECK int conf_take(struct conf_reading *reading, size_t index, enum conf_source source, const char *text);

// The same for a secret whose text lies in a file. `said_by` names the flag or variable, for the message.
MUST_CHECK int conf_take_file(struct conf_reading *reading, size_t index, enum conf_source source, const char *path,
                              const char *said_by);

// A flag `--name`, `--name=value` or `--name value`, without its dashes.
struct conf_flag {
    const char *name;
    size_t name_len;
    const char *value; // behind =, or NULL
};

// The name is `name` followed by `suffix`.
bool conf_flag_is(const struct conf_flag *flag, const char *name, const char *suffix);

// The first round over the arguments: what to do, and where the configuration file is.
MUST_CHECK int conf_scan_flags(struct conf_reading *reading, int argc, char **argv, const char **config_path);

// The second round: the values.
MUST_CHECK int conf_take_flags(struct conf_reading *reading, int argc, char **argv);

const char *conf_source_text(enum conf_source source);
