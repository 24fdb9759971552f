/* LD_PRELOAD: the wall clock steps back by an hour as soon as the file that $CLOCK_STEPS names is there. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    const char *steps = getenv("CLOCK_STEPS");
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME && steps && access(steps, F_OK) == 0) now->tv_sec -= 3600;
    return failed;
}
