// What conf.h shows: help, values, and errors of main.

#include "common/io/conf_impl.h"
#include "common/io/conf_value.h"

#include <stdlib.h>
#include <unistd.h>

const char *conf_source_text(enum conf_source source)
{
    static const char *const texts[] = {"default",     "configuration file", "environment, file",
                                        "environment", "command line, file", "command line"};
    return texts[source];
}

static void print_range(const struct conf_option *option, FILE *out)
{
    if (option->type == CONF_ENUM)
        fprintf(out, "; one of %s", option->choices);
    if ((option->type != CONF_INT && option->type != CONF_DURATION && option->type != CONF_SIZE) ||
        (option->min == 0 && option->max == 0))
        return;
    char min[CONF_VALUE_TEXT_SIZE], max[CONF_VALUE_TEXT_SIZE];
    conf_value_text(option, option->min, min);
    conf_value_text(option, option->max, max);
    fprintf(out, "; %s to %s", min, max);
}

void conf_print_help(const struct conf_program *program, FILE *out)
{
    static const char *const kinds[] = {"[=BOOL]", " INT",  " DURATION", " SIZE",    " TEXT",
                                        " WORD",   " PATH", " NETWORKS", " ADDRESS", " SECRET"};
    fprintf(out, "%s %s - %s\n\n", program->name, program->version, program->summary);
    fprintf(out,
            "Options, also as TESSERA_NAME in the environment or as `name = value` in the file of --config or "
            "TESSERA_CONFIG%s:\n\n",
            program->beside_others ? " (there, what is an option of others is passed over)" : "");
    for (size_t i = 0; i < program->count; i++) {
        const struct conf_option *option = &program->options[i];
        fprintf(out, "  --%s%s\n      %s (default: %s", option->name, kinds[option->type], option->help,
                option->fallback[0] != '\0' ? option->fallback : "empty");
        print_range(option, out);
        fprintf(out, ")\n");
        if (option->type == CONF_SECRET)
            fprintf(out, "  --%s-file PATH\n      the same, read from a file\n", option->name);
    }
    fprintf(out, "  --config PATH\n      file with more options\n");
    fprintf(out, "  --print-config\n      show the value and source of every option, and end\n");
    fprintf(out, "  --version, --help\n");
}

void conf_print(const struct conf *conf, FILE *out)
{
    for (size_t i = 0; i < conf->program->count; i++) {
        const struct conf_option *option = &conf->program->options[i];
        const char *text = conf->values[i].text;
        bool hidden = option->type == CONF_SECRET && text[0] != '\0';
        fprintf(out, "%s = %s  # %s\n", option->name, hidden ? "***" : text, conf_source_text(conf->values[i].source));
    }
}

void conf_load(struct conf *conf, const struct conf_program *program, void *target, int argc, char **argv)
{
    char error[CONF_ERROR_SIZE];
    int action = conf_parse(conf, program, target, argc, argv, environ, error);
    if (action == CONF_RUN)
        return;
    if (action == CONF_HELP)
        conf_print_help(program, stdout);
    else if (action == CONF_VERSION)
        printf("%s %s\n", program->name, program->version);
    else if (action == CONF_PRINT)
        conf_print(conf, stdout);
    else
        fprintf(stderr, "%s: %s\n", program->name, error);
    conf_fini(conf);
    exit(action < 0 ? 2 : 0);
}
