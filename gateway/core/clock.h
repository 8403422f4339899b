/* clock.h: the two clocks, as one object that a test can set.
 *
 * Timers and holds use monotonic time; rows and messages carry wall time. Both are gint64 microseconds. RFC 3339 text is
 * always UTC with milliseconds.
 *
 * thread: any; a clock is immutable but for clock_fake_*. */
#pragma once

#include <glib.h>

typedef struct Clock Clock;

/* The machine's clocks. Never freed. */
Clock *clock_system (void);

/* A clock that stands still until it is moved. Free with clock_fake_free. */
Clock *clock_fake_new (gint64 wall_us);
void clock_fake_advance (Clock *clock, gint64 microseconds); /* both clocks, as time passes */
void clock_fake_step_wall (Clock *clock, gint64 microseconds); /* the wall clock only, as NTP or an administrator does */
void clock_fake_free (Clock *clock);

gint64 clock_monotonic_us (const Clock *clock);
gint64 clock_wall_us (const Clock *clock);

/* "2026-05-01T08:00:00.123Z"; free with g_free. */
char *time_to_rfc3339 (gint64 wall_us);

/* The same without memory of its own, for who writes many; ends with a NUL. What is not of the years 1 to 9999 is 1970. */
enum { TIME_RFC3339_BYTES = 25 };
void time_write_rfc3339 (gint64 wall_us, char text[TIME_RFC3339_BYTES]);

/* Any offset, any number of fraction digits (RFC 3339 5.6). FALSE when `text` is no such time. */
gboolean time_from_rfc3339 (const char *text, gint64 *wall_us);
