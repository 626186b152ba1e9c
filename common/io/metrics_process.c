#include "common/io/metrics_process.h"

#include "common/io/log.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int64_t started_s;

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static double cpu_seconds(void *arg)
{
    struct rusage usage;
    (void)arg;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? seconds(usage.ru_utime) + seconds(usage.ru_stime) : 0;
}

static double resident_bytes(void *arg)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    (void)arg;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1) // NOLINT(cert-err34-c)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double max_fds(void *arg)
{
    struct rlimit limit;
    (void)arg;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static double one(void *arg)
{
    (void)arg;
    return 1;
}

int metrics_process_add(struct metrics *metrics)
{
    const struct metrics_row rows[] = {
        {.name = "tessera_build_info",
         .type = METRICS_GAUGE,
         .help = "1, with the version.",
         .labels = "version=\"" TESSERA_VERSION "\"",
         .read = one},
        {.name = "process_start_time_seconds",
         .type = METRICS_GAUGE,
         .help = "Unix time at which the process began.",
         .value = &started_s},
        {.name = "process_cpu_seconds_total",
         .type = METRICS_COUNTER,
         .help = "Processor time used, of user and system together.",
         .read = cpu_seconds},
        {.name = "process_resident_memory_bytes",
         .type = METRICS_GAUGE,
         .help = "Memory of the process that is in use.",
         .read = resident_bytes},
        {.name = "process_max_fds",
         .type = METRICS_GAUGE,
         .help = "Files and sockets that the process may open.",
         .read = max_fds},
        {.name = "tessera_log_lines_lost_total",
         .type = METRICS_COUNTER,
         .help = "Lines of the log that were dropped because nobody read them.",
         .value = log_lost()},
    };
    started_s = (int64_t)time(NULL);
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}
