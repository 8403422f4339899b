/* capture_clock.h: when a packet's content was captured, in our time.
 *
 * Our clock says the hour, and the camera's says only how its moments lie to each other: cameras send local time for UTC,
 * 1970, or a clock that was never set. A sender report leaves the camera at the wall time that it names, so its arrival minus
 * that time is the difference of the clocks plus the way through the network; the least of two minutes of reports is taken
 * for the difference alone. Through it a picture has the time at which it was captured, whatever its encoding took.
 * A camera that sends no reports has its pictures' times from their arrival: the least delay seen is taken for none.
 *
 * One difference serves all tracks of a camera, so sound and picture lie to each other as the camera says.
 *
 * Viewers are told the capture times from their first packet on, which is by arrival while the camera has not reported yet, and
 * clients set their clocks anew by each report. What they are told therefore follows the capture times without going back: it
 * stays late by as much for all tracks alike, less with each report.
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/rtp/sender_report.h"

/* The camera's clock against ours. Monotonic microseconds on our side. */
typedef struct {
  gboolean is_known;
  gint64 difference_us;             /* ours minus the camera's */
  gint64 window_us, least_us, least_before_us;
  gint64 told_late_us;              /* by how much viewers are told too late a time */
} CameraClock;

/* One track's. */
typedef struct {
  gboolean is_reported;             /* reports of this connection say it, else arrival */
  gboolean has_base;
  gint64 base_us;                   /* our monotonic time minus the track's elapsed time */
  gint64 shift_us;                  /* what the camera's wall clock has jumped since the first report */
  gint64 report_wall_us, report_elapsed_us, report_arrival_us; /* the last report, its wall time as the camera says it */
  gboolean was_repaired;            /* the timeline was, since then */
  gint64 told_base_us;              /* base_us as viewers are told it; once there is a base */
} TrackClock;

/* New connection: what arrival said until now stays the guess. */
void camera_clock_restart (CameraClock *camera);
void track_clock_restart (TrackClock *track);

/* A report: the camera's wall time, the track's elapsed time that it names, and its arrival. FALSE: its clock has jumped or
 * lies; what can be used of it is used. */
gboolean track_clock_report (TrackClock *track, CameraClock *camera, gint64 wall_us, gint64 elapsed_us, gint64 arrival_us);

/* The track's time was repaired: its next report stands for itself. */
void track_clock_repaired (TrackClock *track);

/* When what has come at `arrival_us` with `elapsed_us` was captured; never later than its arrival. */
gint64 track_clock_captured_us (TrackClock *track, const CameraClock *camera, gint64 elapsed_us, gint64 arrival_us);
