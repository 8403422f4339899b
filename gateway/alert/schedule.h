/* schedule.h: when a rule may start: hours, days and season in a time zone.
 *
 * thread: any; immutable once made. */
#pragma once

#include "gateway/model/rule.h"

typedef struct {
  int from_minute, to_minute; /* of the day; to_minute may be less: over midnight */
  guint days;                 /* bit 0: Monday */
  int from_day, to_day;       /* month × 100 + day; to_day may be less: over New Year */
} Schedule;

/* FALSE when nothing is set: always active. */
gboolean schedule_init (Schedule *schedule, const ActiveTimes *times);

gboolean schedule_is_active (const Schedule *schedule, GTimeZone *zone, gint64 wall_us);
