#include "gateway/core/clock.h"

#include <string.h>

struct Clock {
  gboolean is_fake;
  gint64 monotonic_us;
  gint64 wall_us;
};

Clock *clock_system (void)
{
  static Clock system_clock;
  return &system_clock;
}

Clock *clock_fake_new (gint64 wall_us)
{
  Clock *clock = g_new0 (Clock, 1);
  clock->is_fake = TRUE;
  clock->monotonic_us = G_USEC_PER_SEC;
  clock->wall_us = wall_us;
  return clock;
}

void clock_fake_advance (Clock *clock, gint64 microseconds)
{
  __atomic_add_fetch (&clock->monotonic_us, microseconds, __ATOMIC_SEQ_CST);
  __atomic_add_fetch (&clock->wall_us, microseconds, __ATOMIC_SEQ_CST);
}

void clock_fake_step_wall (Clock *clock, gint64 microseconds)
{
  __atomic_add_fetch (&clock->wall_us, microseconds, __ATOMIC_SEQ_CST);
}

void clock_fake_free (Clock *clock)
{
  g_free (clock);
}

gint64 clock_monotonic_us (const Clock *clock)
{
  return clock->is_fake ? __atomic_load_n (&clock->monotonic_us, __ATOMIC_SEQ_CST) : g_get_monotonic_time ();
}

gint64 clock_wall_us (const Clock *clock)
{
  return clock->is_fake ? __atomic_load_n (&clock->wall_us, __ATOMIC_SEQ_CST) : g_get_real_time ();
}

char *time_to_rfc3339 (gint64 wall_us)
{
  gint64 seconds = wall_us / G_USEC_PER_SEC;
  gint64 rest_us = wall_us % G_USEC_PER_SEC;
  if (rest_us < 0) {
    rest_us += G_USEC_PER_SEC;
    seconds--;
  }
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (seconds);
  if (time == NULL)
    return g_strdup ("1970-01-01T00:00:00.000Z");
  g_autofree char *whole = g_date_time_format (time, "%Y-%m-%dT%H:%M:%S");
  return g_strdup_printf ("%s.%03dZ", whole, (int) (rest_us / 1000));
}

gboolean time_from_rfc3339 (const char *text, gint64 *wall_us)
{
  /* GLib takes more than RFC 3339 (week dates, no separators): ask for the shape first. */
  gsize length = strlen (text);
  if (length < 20 || length > 40 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't')
      || text[13] != ':' || text[16] != ':')
    return FALSE;

  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (text, NULL);
  if (time == NULL)
    return FALSE;
  *wall_us = g_date_time_to_unix (time) * G_USEC_PER_SEC + g_date_time_get_microsecond (time);
  return TRUE;
}
