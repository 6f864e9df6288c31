/* Loaded before the C library, it makes a server's clock wrong by as many seconds as CLOCK_AHEAD says. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    long failed = syscall(SYS_gettimeofday, now, zone);
    const char *ahead = getenv("CLOCK_AHEAD");
    if (!failed && now && ahead)
        now->tv_sec += atol(ahead);
    return (int)failed;
}
