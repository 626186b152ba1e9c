// LD_PRELOAD for any of the programs: a wall clock that a test sets ahead or back while the process runs, as an
// operator or a time server would.
//
//   CLOCK_STEP=FILE     8 bytes, the machine's: by how many seconds the wall clock is ahead (i64). Without it nothing
//   happens
//
// The monotonic clock goes on as it is.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *step_s;

__attribute__((constructor)) static void clock_open(void)
{
    const char *path = getenv("CLOCK_STEP");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *file = mmap(NULL, sizeof *step_s, PROT_READ, MAP_SHARED, fd, 0);
    step_s = file != MAP_FAILED ? file : NULL;
    close(fd);
}

// Not the C library's: an allocator may ask for the time before anything could be looked up.
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int result = (int)syscall(SYS_clock_gettime, clock, ts);
    if (result == 0 && step_s != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ts->tv_sec += *step_s;
    return result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
        return -1;
    *tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec ts;
    if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
        return -1;
    if (out != NULL)
        *out = ts.tv_sec;
    return ts.tv_sec;
}
