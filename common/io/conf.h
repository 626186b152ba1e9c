// The options of a program, from one table: parsing, --help, --print-config and the documents' check all come from it.
//
// An option `draw-rate` is given, the first that is there counting, as
//
//     --draw-rate 5 or --draw-rate=5           (a bool also as --name alone; secrets: --name-file PATH too)
//     TESSERA_DRAW_RATE=5                      (secrets: TESSERA_NAME_FILE=PATH too)
//     draw-rate = 5                            in the file of --config FILE or TESSERA_CONFIG
//                                              (secrets: name-file = PATH too)
//     the default of its row
//
// A secret on a command line is seen by every user of the machine: prefer the -file forms. An unknown flag, line or
// TESSERA_ variable is an error, so that a typing mistake does not silently leave the default.
//
// Durations: 0, 250ms, 5s, 3m, 2h. Sizes: 0, 512, 64KiB, 64MiB, 2GiB. Addresses: host:port, [v6]:port, :port.
#pragma once

#include "common/core/addr.h"
#include "common/core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_ERROR_SIZE 512
#define CONF_OPTIONS_MAX 96

// Kind of a value, and the type of the field that receives it.
enum conf_type {
    CONF_BOOL,     // bool: true|false|yes|no|on|off|1|0
    CONF_INT,      // int64_t, min … max
    CONF_DURATION, // int64_t, milliseconds, min … max
    CONF_SIZE,     // int64_t, bytes, min … max
    CONF_STRING,   // const char *, owned by struct conf
    CONF_ENUM,     // int, number of the choice in `choices`
    CONF_PATH,     // const char *, owned by struct conf; not opened
    CONF_CIDRS,    // struct addr_list
    CONF_ADDRESS,  // const char *, owned by struct conf; empty when the default is empty (off)
    CONF_SECRET,   // const char *, owned by struct conf; shown as ***; one trailing newline of a file is cut off
};

struct conf_option {
    const char *name; // of [a-z0-9-]
    enum conf_type type;
    const char *fallback; // text of the default; parsed like any other
    int64_t min;          // of INT, DURATION, SIZE; of the length of STRING, PATH and SECRET
    int64_t max;          // likewise; both 0 = no limit
    const char *choices;  // of ENUM: "debug|info|warn"
    size_t offset;        // of the field in the program's options
    const char *help;     // one sentence with unit and effect
};

struct conf_program {
    const char *name;    // "tessera-gateway"
    const char *version; // for --version
    const char *summary; // one line for --help
    const struct conf_option *options;
    size_t count; // at most CONF_OPTIONS_MAX
    // It is used where others run: TESSERA_ variables, and lines in the file of TESSERA_CONFIG, that are none of its
    // options are theirs, and passed over.
    bool beside_others;
};

enum conf_source { CONF_DEFAULT, CONF_FILE, CONF_ENV_FILE, CONF_ENV, CONF_FLAG_FILE, CONF_FLAG };

// What was read. Holds the texts that the program's options point to.
struct conf {
    const struct conf_program *program;
    struct {
        enum conf_source source;
        char *text; // as given
        char *path; // of the file that the secret was read from; NULL = of none
    } values[CONF_OPTIONS_MAX];
};

// What the command line asks for instead of running.
enum conf_action { CONF_RUN = 0, CONF_HELP = 1, CONF_VERSION = 2, CONF_PRINT = 3 };

// Reads everything into `target`, the program's struct of options. `env` is a NULL-terminated array as in main. Returns
// an enum conf_action; or ERR_MALFORMED, ERR_RANGE, ERR_IO (a file), ERR_NOMEM, with one line in `error` that names the
// option, where its value came from, the value (not of secrets), and what is allowed. Call conf_fini in any case.
MUST_CHECK int conf_parse(struct conf *conf, const struct conf_program *program, void *target, int argc, char **argv,
                          char **env, char error[CONF_ERROR_SIZE]);

// For main: as conf_parse with the environment of the process, but does what help, version and print-config ask and
// exits 0, and says the error and exits 2.
void conf_load(struct conf *conf, const struct conf_program *program, void *target, int argc, char **argv);

// Whether the option was given anywhere, also with the text of its default. False for a name that is not in the table.
bool conf_is_given(const struct conf *conf, const char *name);

// The secret as its file says it now; `*text` is the caller's, to be given to conf_forget. ERR_NOT_FOUND: it was not
// given by a file. ERR_IO with one line in `error`; ERR_RANGE for one that is too long for its row.
MUST_CHECK int conf_read_again(const struct conf *conf, const char *name, char **text, char error[CONF_ERROR_SIZE]);

// Overwrites and frees. Harmless for NULL.
void conf_forget(char *text);

// Frees the texts, secrets overwritten.
void conf_fini(struct conf *conf);

void conf_print_help(const struct conf_program *program, FILE *out);

// One line `name = value  # source` per option.
void conf_print(const struct conf *conf, FILE *out);

// The single values, also for other text from outside. ERR_MALFORMED, ERR_RANGE when it does not fit 63 bits.
MUST_CHECK int conf_text_duration_ms(const char *text, int64_t *ms);
MUST_CHECK int conf_text_size(const char *text, int64_t *bytes);
MUST_CHECK int conf_text_int(const char *text, int64_t *value);
