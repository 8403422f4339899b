#include "tests/support/stepped_clock.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/process.h"
#include "tests/support/test.h"

struct SteppedClock {
  char *path, *environment[4];
  gint64 *offset_us;
};

SteppedClock *stepped_clock_new (const char *folder)
{
  SteppedClock *clock = g_new0 (SteppedClock, 1);
  clock->path = g_build_filename (folder, "clock-offset", NULL);
  int fd = open (clock->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  assert_true (fd >= 0);
  assert_int_equal (ftruncate (fd, sizeof *clock->offset_us), 0);
  clock->offset_us = mmap (NULL, sizeof *clock->offset_us, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert_true (clock->offset_us != MAP_FAILED);
  close (fd);

  /* AddressSanitizer wants to be loaded first; nothing in our library needs that */
  const char *sanitizer = g_getenv ("ASAN_OPTIONS");
  g_autofree char *library = built_program ("tests/support/libstepped-clock.so");
  clock->environment[0] = g_strconcat ("LD_PRELOAD=", library, NULL);
  clock->environment[1] = g_strconcat ("STEPPED_CLOCK_FILE=", clock->path, NULL);
  clock->environment[2] = g_strconcat ("ASAN_OPTIONS=", sanitizer != NULL ? sanitizer : "", ":verify_asan_link_order=0", NULL);
  return clock;
}

const char *const *stepped_clock_environment (SteppedClock *clock)
{
  return (const char *const *) clock->environment;
}

void stepped_clock_set (SteppedClock *clock, gint64 offset_us)
{
  __atomic_store_n (clock->offset_us, offset_us, __ATOMIC_SEQ_CST);
}

gint64 stepped_clock_now_us (const SteppedClock *clock)
{
  return g_get_real_time () + *clock->offset_us;
}

void stepped_clock_free (SteppedClock *clock)
{
  if (clock == NULL)
    return;
  munmap (clock->offset_us, sizeof *clock->offset_us);
  for (gsize i = 0; i < G_N_ELEMENTS (clock->environment); i++)
    g_free (clock->environment[i]);
  g_free (clock->path);
  g_free (clock);
}
