/* Loaded before the C library, it makes a process's host another one: its clock is wrong by as many seconds as CLOCK_AHEAD
 * says, and it has as many megabytes of memory as HOST_MEMORY says. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    long failed = syscall(SYS_gettimeofday, now, zone);
    const char *ahead = getenv("CLOCK_AHEAD");
    if (!failed && now && ahead)
        now->tv_sec += atol(ahead);
    return (int)failed;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    long failed = syscall(SYS_clock_gettime, clock, now);
    const char *ahead = getenv("CLOCK_AHEAD");
    if (!failed && clock == CLOCK_REALTIME && ahead)
        now->tv_sec += atol(ahead);
    return (int)failed;
}

long sysconf(int name)
{
    long (*real)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    const char *megabytes = getenv("HOST_MEMORY");
    return name == _SC_PHYS_PAGES && megabytes ? (atol(megabytes) << 20) / real(_SC_PAGESIZE) : real(name);
}
