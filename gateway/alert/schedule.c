#include "gateway/alert/schedule.h"

#include <string.h>

enum { MINUTES_A_DAY = 24 * 60, EVERY_DAY = 0x7f };

static int two_digits (const char *text)
{
  return (text[0] - '0') * 10 + text[1] - '0';
}

static guint day_bit (const char *name)
{
  static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], name) == 0)
      return 1u << i;
  return 0;
}

gboolean schedule_init (Schedule *schedule, const ActiveTimes *times)
{
  *schedule = (Schedule){ 0, MINUTES_A_DAY, EVERY_DAY, 101, 1231 };
  if (times->hours != NULL) {
    schedule->from_minute = two_digits (times->hours) * 60 + two_digits (times->hours + 3);
    schedule->to_minute = two_digits (times->hours + 6) * 60 + two_digits (times->hours + 9);
  }
  if (times->days != NULL)
    schedule->days = 0;
  for (char **day = times->days; day != NULL && *day != NULL; day++)
    schedule->days |= day_bit (*day);
  if (times->season != NULL) {
    schedule->from_day = two_digits (times->season) * 100 + two_digits (times->season + 3);
    schedule->to_day = two_digits (times->season + 6) * 100 + two_digits (times->season + 9);
  }
  return times->hours != NULL || times->days != NULL || times->season != NULL;
}

/* Whether the day on which hours begin is one of the rule's. */
static gboolean is_its_day (const Schedule *schedule, GDateTime *day)
{
  int at = g_date_time_get_month (day) * 100 + g_date_time_get_day_of_month (day);
  gboolean is_season = schedule->from_day <= schedule->to_day ? at >= schedule->from_day && at <= schedule->to_day
                                                              : at >= schedule->from_day || at <= schedule->to_day;
  return is_season && (schedule->days & 1u << (g_date_time_get_day_of_week (day) - 1)) != 0;
}

gboolean schedule_is_active (const Schedule *schedule, GTimeZone *zone, gint64 wall_us)
{
  g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);
  g_autoptr (GDateTime) now = utc != NULL ? g_date_time_to_timezone (utc, zone) : NULL;
  if (now == NULL)
    return TRUE;
  int minute = g_date_time_get_hour (now) * 60 + g_date_time_get_minute (now);
  if (schedule->from_minute < schedule->to_minute)
    return minute >= schedule->from_minute && minute < schedule->to_minute && is_its_day (schedule, now);
  if (minute >= schedule->from_minute)
    return is_its_day (schedule, now);
  g_autoptr (GDateTime) yesterday = g_date_time_add_days (now, -1);
  return minute < schedule->to_minute && is_its_day (schedule, yesterday);
}
