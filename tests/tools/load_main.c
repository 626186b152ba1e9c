// tessera-load: many clients of a Tessera cluster in few processes. See --help, and load_proc.h for its parts.
//
// Exit status: 0 when every draw was acknowledged and everything compared is equal, 1 when not, 2 for a wrong command
// line or a run that could not begin.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/io/loop.h"
#include "tests/tools/load_check.h"
#include "tests/tools/load_run.h"
#include "tests/tools/load_shared.h"

#define EXIT_USAGE 2

static int prepare_tokens(struct load_options *options, char (**tokens)[TOKEN_TEXT_SIZE])
{
    if (options->users == 0)
        options->users = options->connections;
    *tokens = calloc((size_t)options->users, sizeof **tokens);
    if (*tokens == NULL)
        return ERR_NOMEM;
    uint32_t count = (uint32_t)options->users;
    return options->users_from_keys[0] != '\0' ? load_api_sign(options, *tokens, count)
                                               : load_api_sessions(options, *tokens, count);
}

// Paint and replay draw where the canvas differs now.
static int prepare_changes(struct load_plan *plan)
{
    struct load_tiles present;
    int err = load_api_tiles(&plan->options->targets[0], &plan->canvas->geom, &present);
    if (err != 0)
        return err;
    plan->changes = load_image_changes(plan->image, &present, &plan->change_count);
    load_tiles_fini(&present);
    return plan->changes != NULL ? 0 : ERR_NOMEM;
}

// ---- Processes ----------------------------------------------------------------------------------------------------

static volatile sig_atomic_t stop_signal;

static void on_stop(int signo)
{
    stop_signal = signo;
}

static int start_children(const struct load_plan *plan, struct load_stats *stats, pid_t *children)
{
    for (unsigned i = 0; i < (unsigned)plan->options->processes; i++) {
        (void)fflush(NULL);
        children[i] = fork();
        if (children[i] < 0)
            return ERR_IO;
        if (children[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            signal(SIGINT, SIG_DFL);
            signal(SIGTERM, SIG_DFL);
            exit(load_run(plan, i, &stats[i]) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
    }
    return 0;
}

static void sum_up(const struct load_options *options, const struct load_stats *stats, struct load_stats *sum)
{
    *sum = (struct load_stats){0};
    for (unsigned i = 0; i < (unsigned)options->processes; i++)
        load_stats_merge(sum, &stats[i]);
}

// Takes those that have ended; returns how many run on.
static unsigned reap(pid_t *children, unsigned count, uint64_t *failed)
{
    unsigned running = 0;
    for (unsigned i = 0; i < count; i++) {
        int status;
        if (children[i] > 0 && waitpid(children[i], &status, WNOHANG) == children[i]) {
            *failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
            children[i] = 0;
        }
        running += children[i] > 0;
    }
    return running;
}

static void pass_on(const pid_t *children, unsigned count, int signo)
{
    for (unsigned i = 0; i < count; i++) {
        if (children[i] > 0)
            kill(children[i], signo);
    }
}

// Until all have ended; a line a second.
static void attend(const struct load_plan *plan, const struct load_stats *stats, pid_t *children,
                   struct load_stats *sum)
{
    const struct load_options *options = plan->options;
    unsigned count = (unsigned)options->processes;
    struct load_stats *before = calloc(1, sizeof *before);
    struct monotime start = loop_now_exact();
    struct monotime next = monotime_add_ms(start, 1000);
    uint64_t failed = 0;
    while (reap(children, count, &failed) > 0) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        if (stop_signal != 0) {
            pass_on(children, count, SIGTERM);
            stop_signal = 0;
        }
        if (before == NULL || !options->progress || monotime_before(loop_now_exact(), next))
            continue;
        sum_up(options, stats, sum);
        load_stats_progress(stderr, sum, before, load_run_wanted(plan),
                            (double)monotime_diff_us(loop_now_exact(), start) / 1e6);
        *before = *sum;
        next = monotime_add_ms(next, 1000);
    }
    free(before);
    sum_up(options, stats, sum);
    sum->errors += failed;
}

static int run_processes(const struct load_plan *plan, struct load_stats *sum)
{
    const struct load_options *options = plan->options;
    size_t count = (size_t)options->processes;
    const struct sigaction action = {.sa_handler = on_stop};
    struct load_stats *stats = load_shared_alloc(count * sizeof *stats);
    pid_t *children = calloc(count, sizeof *children);
    if (stats == NULL || children == NULL) {
        free(children);
        return ERR_NOMEM;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    int err = start_children(plan, stats, children);
    if (err != 0)
        pass_on(children, (unsigned)count, SIGTERM);
    attend(plan, stats, children, sum);
    free(children);
    return err;
}

// ---- Modes --------------------------------------------------------------------------------------------------------

static int read_images(const struct load_options *options, const struct load_canvas *canvas, struct load_image *image,
                       struct load_image *expected)
{
    int err = 0;
    if (options->image_count > 0)
        err = load_image_read(image, options->images, options->image_count, canvas);
    if (err == 0 && options->expect_count > 0)
        err = load_image_read(expected, options->expects, options->expect_count, canvas);
    return err;
}

static int run_clients(struct load_plan *plan, struct load_options *options, struct load_stats *sum)
{
    char(*tokens)[TOKEN_TEXT_SIZE] = NULL;
    plan->seen = load_seen_new(loop_now_exact());
    int err = plan->seen != NULL ? prepare_tokens(options, &tokens) : ERR_NOMEM;
    plan->tokens = (const char(*)[TOKEN_TEXT_SIZE])tokens;
    if (err == 0 && plan->image != NULL)
        err = prepare_changes(plan);
    if (err == 0)
        err = run_processes(plan, sum);
    free(plan->changes);
    free(tokens);
    return err;
}

static int run_mode(struct load_options *options, struct load_stats *sum)
{
    static struct load_canvas canvas;
    struct load_image image = {0};
    struct load_image expected = {0};
    struct load_plan plan = {.options = options, .canvas = &canvas};
    bool painting = options->mode == LOAD_PAINT || options->mode == LOAD_REPLAY;
    int err = load_api_canvas(&options->targets[0], &canvas);
    if (err == 0)
        err = read_images(options, &canvas, &image, &expected);
    plan.image = painting ? &image : NULL;
    plan.expected = options->expect_count > 0 ? &expected : NULL;
    if (err == 0 && options->mode != LOAD_CHECK)
        err = run_clients(&plan, options, sum);
    if (err == 0 && options->verify && (painting || options->mode == LOAD_CHECK))
        load_check_gateways(options, &canvas, &image, sum);
    load_image_fini(&image);
    load_image_fini(&expected);
    return err;
}

int main(int argc, char **argv)
{
    static struct load_options options;
    static struct load_stats sum;
    struct conf conf;
    char error[CONF_ERROR_SIZE];
    int action = load_options_parse(&options, &conf, argc, argv, error);
    int status = EXIT_USAGE;
    if (action < 0) {
        (void)fprintf(stderr, "tessera-load: %s\n", error);
    } else if (action == CONF_HELP || action == CONF_VERSION) {
        action == CONF_HELP ? load_options_help() : (void)printf("tessera-load %s\n", TESSERA_VERSION);
        status = EXIT_SUCCESS;
    } else if (action == CONF_PRINT) {
        conf_print(&conf, stdout);
        status = EXIT_SUCCESS;
    } else if (run_mode(&options, &sum) == 0) {
        load_stats_print(stdout, &options, &sum);
        status = load_stats_failed(&sum) ? EXIT_FAILURE : EXIT_SUCCESS;
        if (options.json[0] != '\0' && load_stats_write_json(options.json, &options, &sum) != 0) {
            (void)fprintf(stderr, "%s: %s\n", options.json, strerror(errno));
            status = EXIT_USAGE;
        }
    }
    load_options_fini(&options, &conf);
    return status;
}
