// build/sim: runs seeds, stops at the first that breaks a promise and says how to see it again.
//
//   build/sim --seeds 10000 --events 3000        so many seeds, from --from (default 1)
//   build/sim --seed 42 --trace                  one of them, with all that happens
//   build/sim --seed 42 --record FILE            what client 0 gets and shows, for tests/unit/js
//   build/sim --forever                          until a promise is broken
//   build/sim --mutant no-fence --seeds 500      until the fault is found; fails if it is not
//   --keep-going                                 go on after a broken promise
//   --slow MS                                    name seeds that took longer to converge

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/run.h"

struct options {
    uint64_t from, seeds, events, slow_ms;
    enum mutant mutant;
    bool trace, forever, keep_going;
    const char *record;
};

// Of all seeds together.
struct sums {
    uint64_t seeds, events, virtual_ms, failures, digest;
    int64_t quiet_ms, converged_ms; // the slowest
    struct ledger_counts counts;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void usage(void)
{
    fprintf(stderr, "sim [--seed N [--trace] [--record FILE]] [--from N] [--seeds N] [--events N] [--forever]\n"
                    "    [--keep-going] [--slow MS] [--mutant NAME]\nmutants:");
    for (int i = 1; i < MUTANT_COUNT; i++)
        fprintf(stderr, " %s", mutant_name((enum mutant)i));
    fputc('\n', stderr);
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        usage();
    return value;
}

static void use_option(struct options *options, int opt, const char *arg)
{
    if (opt == 's') {
        options->from = number(arg);
        options->seeds = 1;
    } else if (opt == 'f') {
        options->from = number(arg);
    } else if (opt == 'n') {
        options->seeds = number(arg);
    } else if (opt == 'e') {
        options->events = number(arg);
    } else if (opt == 'w') {
        options->slow_ms = number(arg);
    } else if (opt == 'r') {
        options->record = arg;
    } else if (opt == 'm') {
        options->mutant = mutant_by_name(arg);
    } else if (opt != 0) {
        usage();
    }
    if (options->mutant == MUTANT_COUNT)
        usage();
}

static void read_options(struct options *options, int argc, char **argv)
{
    int trace = 0, forever = 0, keep_going = 0, opt;
    const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},
        {"from", required_argument, NULL, 'f'},
        {"seeds", required_argument, NULL, 'n'},
        {"events", required_argument, NULL, 'e'},
        {"mutant", required_argument, NULL, 'm'},
        {"record", required_argument, NULL, 'r'},
        {"slow", required_argument, NULL, 'w'},
        {"trace", no_argument, &trace, 1},
        {"forever", no_argument, &forever, 1},
        {"keep-going", no_argument, &keep_going, 1},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.from = 1, .seeds = 10000, .events = 3000};
    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1)
        use_option(options, opt, optarg);
    if (optind != argc)
        usage();
    options->trace = trace != 0;
    options->forever = forever != 0;
    options->keep_going = keep_going != 0;
}

static void add(struct sums *sums, const struct run_result *result)
{
    const struct ledger_counts *counts = &result->counts;
    sums->seeds++;
    sums->events += result->events;
    sums->virtual_ms += (uint64_t)result->virtual_ms;
    sums->failures += result->failed;
    sums->digest ^= result->digest;
    sums->quiet_ms = result->quiet_ms > sums->quiet_ms ? result->quiet_ms : sums->quiet_ms;
    sums->converged_ms = result->converged_ms > sums->converged_ms ? result->converged_ms : sums->converged_ms;
    sums->counts.draws += counts->draws;
    sums->counts.placed += counts->placed;
    sums->counts.acked += counts->acked;
    sums->counts.refused += counts->refused;
    sums->counts.repeated += counts->repeated;
    sums->counts.gave_up += counts->gave_up;
    sums->counts.lost += counts->lost;
}

static void say(const struct options *options, uint64_t seed, const struct run_result *result)
{
    if (options->slow_ms > 0 && (uint64_t)result->converged_ms > options->slow_ms)
        printf("seed %" PRIu64 " needs %" PRId64 " ms to converge\n", seed, result->converged_ms);
    if (!result->failed || options->mutant != MUTANT_NONE)
        return;
    printf("seed %" PRIu64 " breaks \"%s\": %s\n", seed, result->invariant, result->failure);
    printf("  again: build/sim --seed %" PRIu64 " --events %" PRIu64 " --trace\n", seed, options->events);
}

static void say_sums(const struct sums *sums, double took_s)
{
    const struct ledger_counts *counts = &sums->counts;
    printf("seeds %" PRIu64 " events %" PRIu64 " of %.1f hours: draws %u placed %u acked %u refused %u repeated %u "
           "unknown %u lost unacknowledged or restored %u\n",
           sums->seeds, sums->events, (double)sums->virtual_ms / 3600000.0, counts->draws, counts->placed,
           counts->acked, counts->refused, counts->repeated, counts->gave_up, counts->lost);
    printf("slowest to settle %" PRId64 " ms, and then to converge %" PRId64 " ms; digest %016" PRIx64
           "; %.1f s; failures %" PRIu64 "\n",
           sums->quiet_ms, sums->converged_ms, sums->digest, took_s, sums->failures);
}

// Whether the mutant was found by what has to find it.
static int judge_mutant(const struct options *options, uint64_t seed, const struct run_result *result)
{
    const char *name = mutant_name(options->mutant);
    bool good = result->failed && strstr(mutant_caught_by(options->mutant), result->invariant) != NULL;
    if (!result->failed)
        printf("mutant %s: NOT caught by %" PRIu64 " seeds\n", name, options->seeds);
    else
        printf("mutant %s: %s by \"%s\", seed %" PRIu64 ": %s\n", name,
               good ? "caught" : "NOT caught as it should, but", result->invariant, seed, result->failure);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options options;
    struct run_result result = {0};
    struct sums sums = {0};
    read_options(&options, argc, argv);
    setvbuf(stdout, NULL, options.trace ? _IOFBF : _IOLBF, 1 << 16);
    FILE *record = options.record != NULL ? fopen(options.record, "w") : NULL;
    double begin = seconds();
    uint64_t seed = options.from;
    for (; options.forever || sums.seeds < options.seeds; seed++) {
        const struct run_options run = {seed, options.events, options.mutant, options.trace, record};
        run_seed(&run, &result);
        add(&sums, &result);
        say(&options, seed, &result);
        if (result.failed && !options.keep_going)
            break;
    }
    if (record != NULL)
        fclose(record);
    if (options.mutant != MUTANT_NONE)
        return judge_mutant(&options, seed, &result);
    say_sums(&sums, seconds() - begin);
    return sums.failures == 0 ? 0 : 1;
}
