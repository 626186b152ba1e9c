// tessera-ctl: reads the options, finds the command, asks the admin port or runs it here.

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ctl/ctl.h"
#include "common/ctl/ctl_link.h"
#include "common/io/conf.h"

#define ARGS_MAX 64
#define WHO_SIZE (ADMIN_WHO_MAX + 1u)

static const struct conf_option rows[] = {
    {.name = "admin",
     .type = CONF_ADDRESS,
     .fallback = "127.0.0.1:9200",
     .offset = offsetof(struct ctl_options, admin),
     .help = "admin port of any gateway or shard"},
    {.name = "admin-secret",
     .type = CONF_SECRET,
     .fallback = "",
     .max = 512,
     .offset = offsetof(struct ctl_options, admin_secret),
     .help = "its secret"},
    {.name = "redis",
     .type = CONF_ADDRESS,
     .fallback = "127.0.0.1:6379",
     .offset = offsetof(struct ctl_options, redis),
     .help = "Redis, for backup and restore"},
    {.name = "redis-user",
     .type = CONF_STRING,
     .fallback = "",
     .max = 128,
     .offset = offsetof(struct ctl_options, redis_user),
     .help = "a user there with the role ctl; empty for the default user"},
    {.name = "redis-password",
     .type = CONF_SECRET,
     .fallback = "",
     .max = 512,
     .offset = offsetof(struct ctl_options, redis_password),
     .help = "its password; empty for none"},
    {.name = "who",
     .type = CONF_STRING,
     .fallback = "",
     .max = ADMIN_WHO_MAX,
     .offset = offsetof(struct ctl_options, who),
     .help = "whom the audit log names; empty for the user and host that run this"},
    {.name = "timeout",
     .type = CONF_DURATION,
     .fallback = "30s",
     .min = 100,
     .max = 600000,
     .offset = offsetof(struct ctl_options, timeout_ms),
     .help = "how long to wait for an answer"},
    {.name = "json",
     .type = CONF_BOOL,
     .fallback = "false",
     .offset = offsetof(struct ctl_options, json),
     .help = "print the result as JSON"},
    {.name = "again",
     .type = CONF_BOOL,
     .fallback = "false",
     .offset = offsetof(struct ctl_options, again),
     .help = "restore: although one was begun and did not end"},
};

static const struct conf_program program = {
    .name = "tessera-ctl",
    .version = TESSERA_VERSION,
    .summary = "shows and changes a running Tessera",
    .options = rows,
    .count = sizeof rows / sizeof rows[0],
    .beside_others = true,
};

void ctl_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program.name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void ctl_print(const struct ctl_options *options, const json_t *result, void (*show)(const json_t *result))
{
    if (!options->json && show != NULL) {
        show(result);
        return;
    }
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
}

static void print_help(void)
{
    printf("%s %s - %s\n\nUsage: %s [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands:\n\n", program.name, program.version,
           program.summary, program.name);
    for (size_t i = 0; i < ctl_command_count; i++)
        printf("  %s\n      %s\n", ctl_commands[i].usage, ctl_commands[i].help);
    printf("\nExit status: 0 done; 1 refused or failed; 2 wrong usage; 3 no answer, the outcome is unknown; 4 the "
           "secret is not\n"
           "accepted; 5 a backup is damaged.\n\n");
    conf_print_help(&program, stdout);
}

// ---- The command line ----------------------------------------------------------------------------------------------

struct words {
    char *options[ARGS_MAX + 2]; // of the program, for conf_parse; NULL at the end
    int option_count;
    const char *args[ARGS_MAX]; // the command and its arguments
    size_t arg_count;
};

static const struct conf_option *option_named(const char *name, size_t len)
{
    for (size_t i = 0; i < program.count; i++) {
        size_t have = strlen(rows[i].name);
        bool same = len == have && strncmp(name, rows[i].name, len) == 0;
        bool file = rows[i].type == CONF_SECRET && len == have + 5 && strncmp(name, rows[i].name, have) == 0 &&
                    strncmp(name + have, "-file", 5) == 0;
        if (same || file)
            return &rows[i];
    }
    return NULL;
}

// Options may stand before and behind the command. `--` ends them, for an argument that begins like one.
static bool split(struct words *words, int argc, char **argv)
{
    bool over = false;
    words->options[words->option_count++] = argv[0];
    for (int i = 1; i < argc; i++) {
        if (words->option_count + 2 > ARGS_MAX || words->arg_count == ARGS_MAX)
            return false;
        if (!over && strcmp(argv[i], "--") == 0) {
            over = true;
            continue;
        }
        bool is_option = !over && (strncmp(argv[i], "--", 2) == 0 || strcmp(argv[i], "-h") == 0);
        if (!is_option) {
            words->args[words->arg_count++] = argv[i];
            continue;
        }
        words->options[words->option_count++] = argv[i];
        const struct conf_option *option = option_named(argv[i] + 2, strcspn(argv[i] + 2, "="));
        bool takes_next = (option != NULL && option->type != CONF_BOOL && strchr(argv[i], '=') == NULL) ||
                          strcmp(argv[i], "--config") == 0; // of every program, so it is not in the table
        if (takes_next && i + 1 < argc)
            words->options[words->option_count++] = argv[++i];
    }
    return true;
}

static void default_who(char who[WHO_SIZE])
{
    char host[64] = "";
    const char *user = getenv("SUDO_USER");
    const struct passwd *entry = getpwuid(getuid());
    if (user == NULL || user[0] == '\0')
        user = entry != NULL ? entry->pw_name : "unknown";
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    snprintf(who, WHO_SIZE, "%.60s@%.60s", user, host);
}

// ---- Asking --------------------------------------------------------------------------------------------------------

static enum ctl_status status_of(int err)
{
    switch (err) {
    case ERR_AUTH:
        return CTL_AUTH;
    case ERR_RANGE:
        return CTL_USAGE;
    default:
        return CTL_UNKNOWN;
    }
}

static enum ctl_status answered(const struct ctl_options *options, const struct ctl_command *command,
                                const json_t *answer)
{
    if (json_is_true(json_object_get(answer, "ok"))) {
        ctl_print(options, json_object_get(answer, "result"), command->show);
        return CTL_DONE;
    }
    const char *error = json_string_value(json_object_get(answer, "error"));
    const char *message = json_string_value(json_object_get(answer, "message"));
    ctl_say("%s", message != NULL ? message : "refused");
    if (error != NULL && strcmp(error, "usage") == 0)
        return CTL_USAGE;
    return error != NULL && strcmp(error, "unavailable") == 0 ? CTL_UNKNOWN : CTL_REFUSED;
}

static enum ctl_status ask(const struct ctl_options *options, const struct ctl_command *command,
                           const char *const *args, size_t count)
{
    struct ctl_link link;
    json_t *answer = NULL;
    if (strlen(options->admin_secret) < ADMIN_SECRET_MIN) {
        ctl_say("admin-secret: %u characters or more, as the process has it (--admin-secret-file PATH; "
                "of `make run`: --config var/ctl.conf)",
                ADMIN_SECRET_MIN);
        return CTL_USAGE;
    }
    enum ctl_status status = CTL_DONE;
    int err = ctl_link_open(&link, options->admin, options->admin_secret, (uint32_t)options->timeout_ms);
    if (err == 0)
        err = ctl_link_ask(&link, command->name, args, count, options->who, &answer);
    if (err == 0) {
        status = answered(options, command, answer);
    } else {
        ctl_say("%s: %s", options->admin, link.why);
        status = status_of(err);
    }
    json_decref(answer);
    ctl_link_close(&link);
    return status;
}

static enum ctl_status run(const struct ctl_options *options, const struct words *words)
{
    if (words->arg_count == 0) {
        ctl_say("which command? --help lists them");
        return CTL_USAGE;
    }
    size_t count = words->arg_count - 1;
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *command = &ctl_commands[i];
        if (strcmp(command->name, words->args[0]) != 0)
            continue;
        if (count < command->min || count > command->max) {
            ctl_say("usage: %s", command->usage);
            return CTL_USAGE;
        }
        return command->run != NULL ? command->run(options, words->args + 1, count)
                                    : ask(options, command, words->args + 1, count);
    }
    ctl_say("unknown command \"%s\": --help lists them", words->args[0]);
    return CTL_USAGE;
}

int main(int argc, char **argv)
{
    static struct words words;
    struct conf conf = {0};
    struct ctl_options options = {0};
    char error[CONF_ERROR_SIZE], who[WHO_SIZE];
    if (!split(&words, argc, argv)) {
        ctl_say("too many arguments");
        return CTL_USAGE;
    }
    int status = CTL_DONE;
    int action = conf_parse(&conf, &program, &options, words.option_count, words.options, environ, error);
    if (options.who == NULL || options.who[0] == '\0') {
        default_who(who);
        options.who = who;
    }
    if (action == CONF_RUN)
        status = (int)run(&options, &words);
    else if (action == CONF_HELP)
        print_help();
    else if (action == CONF_VERSION)
        printf("%s %s\n", program.name, program.version);
    else if (action == CONF_PRINT)
        conf_print(&conf, stdout);
    else
        ctl_say("%s", error);
    conf_fini(&conf);
    return action < 0 ? CTL_USAGE : status;
}
