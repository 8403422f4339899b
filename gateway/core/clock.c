#include "gateway/core/clock.h"

#include <string.h>

#define DAY_MS ((gint64) 86400000)
#define FIRST_US (G_GINT64_CONSTANT (-62135596800) * G_USEC_PER_SEC) /* of the year 1 */
#define END_US (G_GINT64_CONSTANT (253402300800) * G_USEC_PER_SEC)   /* of the year 9999 */

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

/* Days since 1970 to a date of the Gregorian calendar, counted in years that begin in March, so that the odd day of a leap year is the
 * last; 400 of them are 146,097 days. */
static void date_of_days (gint64 days, int *year, int *month, int *day)
{
  gint64 from_0000_03 = days + 719468, era = from_0000_03 / 146097;
  int day_of_era = (int) (from_0000_03 - era * 146097);
  int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int from_march = (5 * day_of_year + 2) / 153;
  *day = day_of_year - (153 * from_march + 2) / 5 + 1;
  *month = from_march < 10 ? from_march + 3 : from_march - 9;
  *year = (int) (year_of_era + era * 400) + (*month <= 2 ? 1 : 0);
}

static void write_digits (char *text, int number, int digits)
{
  for (; digits > 0; digits--, number /= 10)
    text[digits - 1] = (char) ('0' + number % 10);
}

void time_write_rfc3339 (gint64 wall_us, char text[TIME_RFC3339_BYTES])
{
  int year, month, day;
  memcpy (text, "1970-01-01T00:00:00.000Z", TIME_RFC3339_BYTES);
  if (wall_us < FIRST_US || wall_us >= END_US)
    return;
  gint64 ms = (wall_us - FIRST_US) / 1000, of_day_ms = ms % DAY_MS;
  date_of_days (ms / DAY_MS + FIRST_US / (DAY_MS * 1000), &year, &month, &day);
  write_digits (text, year, 4);
  write_digits (text + 5, month, 2);
  write_digits (text + 8, day, 2);
  write_digits (text + 11, (int) (of_day_ms / 3600000), 2);
  write_digits (text + 14, (int) (of_day_ms / 60000 % 60), 2);
  write_digits (text + 17, (int) (of_day_ms / 1000 % 60), 2);
  write_digits (text + 20, (int) (of_day_ms % 1000), 3);
}

char *time_to_rfc3339 (gint64 wall_us)
{
  char *text = g_malloc (TIME_RFC3339_BYTES);
  time_write_rfc3339 (wall_us, text);
  return text;
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
