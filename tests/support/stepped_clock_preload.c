/* stepped_clock_preload.c: a library to be loaded before all others: the wall clock is off by what a file says, now.
 *
 * The file of STEPPED_CLOCK_FILE holds one int64_t, microseconds (stepped_clock.h writes it); without it time is as it is. Monotonic clocks
 * are untouched, as by a real step. No symbol is looked up at run time: sanitizers call these before they are ready. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS INT64_C (1000000000)

static const volatile int64_t *offset_us;

__attribute__ ((constructor)) static void map_offset (void)
{
  const char *path = getenv ("STEPPED_CLOCK_FILE");
  int fd = path != NULL ? open (path, O_RDONLY | O_CLOEXEC) : -1;
  void *page = fd >= 0 ? mmap (NULL, sizeof *offset_us, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (page != MAP_FAILED)
    offset_us = page;
  if (fd >= 0)
    close (fd);
}

static int64_t offset_ns (void)
{
  return offset_us != NULL ? *offset_us * 1000 : 0;
}

static int64_t to_ns (const struct timespec *time)
{
  return time->tv_sec * NANOSECONDS + time->tv_nsec;
}

static struct timespec from_ns (int64_t ns)
{
  return (struct timespec){ ns / NANOSECONDS, ns % NANOSECONDS };
}

static int64_t now_ns (clockid_t clock)
{
  struct timespec time;
  syscall (SYS_clock_gettime, clock, &time);
  return to_ns (&time);
}

int clock_gettime (clockid_t clock, struct timespec *time)
{
  int status = (int) syscall (SYS_clock_gettime, clock, time);
  if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    *time = from_ns (to_ns (time) + offset_ns ());
  return status;
}

int gettimeofday (struct timeval *restrict time, void *restrict zone)
{
  (void) zone;
  struct timespec now = from_ns (now_ns (CLOCK_REALTIME) + offset_ns ());
  *time = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
  return 0;
}

time_t time (time_t *result)
{
  time_t now = (time_t) ((now_ns (CLOCK_REALTIME) + offset_ns ()) / NANOSECONDS);
  if (result != NULL)
    *result = now;
  return now;
}

/* Deadlines of the wall clock move with it in a real step, too. Of which clock one is, only its distance tells. */
int pthread_cond_timedwait (pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                            const struct timespec *restrict until)
{
  int64_t deadline = to_ns (until), real = now_ns (CLOCK_REALTIME) + offset_ns ();
  if (llabs (deadline - now_ns (CLOCK_MONOTONIC)) < llabs (deadline - real))
    return pthread_cond_clockwait (condition, mutex, CLOCK_MONOTONIC, until);
  struct timespec kernels = from_ns (deadline - offset_ns ());
  return pthread_cond_clockwait (condition, mutex, CLOCK_REALTIME, &kernels);
}
