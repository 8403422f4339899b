#include "pipelines/rtp/capture_clock.h"

enum {
  WINDOW_US = 60 * G_USEC_PER_SEC,      /* two of them are looked at: a clock 500 ppm off moves 60 ms meanwhile */
  JUMP_US = 20 * 1000,                  /* report to report beyond this and a part in a thousand, the wall clock was set */
  REPAIRED_JUMP_US = 2 * G_USEC_PER_SEC, /* likewise where only arrival compares */
  ASTRAY_US = 5 * G_USEC_PER_SEC,       /* tracks whose first reports differ by more have no common clock */
  LATE_MAX_US = 30 * G_USEC_PER_SEC,    /* a picture said to be older lies */
  ARRIVAL_RESET_US = 5 * G_USEC_PER_SEC,
  ARRIVAL_CREEP = 256, /* a delay that stays is taken into the base by this fraction a picture */
  TOLD_BACK_US = 5 * 1000, /* a report: a viewer whose clock goes back by more than a packet (20 ms of sound) sees time run backward */
  TOLD_LATE_MAX_US = G_USEC_PER_SEC, /* who was told a time so much too late is told the right one at once */
};

void camera_clock_restart (CameraClock *camera)
{
  *camera = (CameraClock){ 0 };
}

void track_clock_restart (TrackClock *track)
{
  *track = (TrackClock){ .has_base = track->has_base, .base_us = track->base_us, .told_base_us = track->told_base_us };
}

void track_clock_repaired (TrackClock *track)
{
  track->was_repaired = TRUE;
}

static void camera_clock_note (CameraClock *camera, gint64 difference_us, gint64 arrival_us)
{
  if (!camera->is_known) {
    *camera = (CameraClock){ TRUE, difference_us, arrival_us, difference_us, difference_us };
  } else if (arrival_us - camera->window_us > WINDOW_US) {
    camera->window_us = arrival_us;
    camera->least_before_us = camera->least_us;
    camera->least_us = difference_us;
  }
  camera->least_us = MIN (camera->least_us, difference_us);
  camera->difference_us = MIN (camera->least_us, camera->least_before_us);
}

/* By how much the camera's wall clock has jumped between the last report and this one; by the camera's own RTP time, or by
 * arrival where that time was repaired between. */
static gint64 wall_jump_us (const TrackClock *track, gint64 wall_us, gint64 elapsed_us, gint64 arrival_us)
{
  gint64 passed_us = track->was_repaired ? arrival_us - track->report_arrival_us : elapsed_us - track->report_elapsed_us;
  gint64 limit_us = track->was_repaired ? REPAIRED_JUMP_US : JUMP_US + ABS (passed_us) / 1000;
  gint64 jump_us = wall_us - track->report_wall_us - passed_us;
  return ABS (jump_us) > limit_us ? jump_us : 0;
}

static gint64 reported_base_us (const TrackClock *track, const CameraClock *camera)
{
  return track->report_wall_us - track->shift_us + camera->difference_us - track->report_elapsed_us;
}

/* What viewers are told goes back slowly; by how much it is late is the same for all tracks, so they lie to each other
 * rightly at once, and what must move moves forward. */
static void tell (TrackClock *track, CameraClock *camera, gboolean was_told)
{
  gint64 base_us = reported_base_us (track, camera);
  gint64 needed_us = was_told ? track->told_base_us - TOLD_BACK_US - base_us : 0;
  camera->told_late_us = MAX (camera->told_late_us - TOLD_BACK_US, 0);
  if (needed_us < TOLD_LATE_MAX_US)
    camera->told_late_us = MAX (camera->told_late_us, needed_us);
  track->told_base_us = base_us + camera->told_late_us;
}

gboolean track_clock_report (TrackClock *track, CameraClock *camera, gint64 wall_us, gint64 elapsed_us, gint64 arrival_us)
{
  gboolean is_first = !track->is_reported, was_told = track->has_base;
  gint64 jump_us = !is_first ? wall_jump_us (track, wall_us, elapsed_us, arrival_us) : 0;
  track->shift_us += jump_us;
  gint64 difference_us = arrival_us - (wall_us - track->shift_us);
  gboolean is_astray = is_first && camera->is_known && ABS (difference_us - camera->difference_us) > ASTRAY_US;
  if (is_astray) {
    track->shift_us -= difference_us - camera->difference_us;
    difference_us = camera->difference_us;
  }
  track->report_wall_us = wall_us;
  track->report_elapsed_us = elapsed_us;
  track->report_arrival_us = arrival_us;
  track->is_reported = track->has_base = TRUE;
  track->was_repaired = FALSE;
  camera_clock_note (camera, difference_us, arrival_us);
  tell (track, camera, was_told);
  return jump_us == 0 && !is_astray;
}

/* As with reports, what viewers are told goes back slowly: a camera that begins with all it has kept brings pictures that seem to come
 * before their time. */
static void tell_by_arrival (TrackClock *track, gboolean was_told)
{
  gint64 late_us = was_told ? track->told_base_us - track->base_us : 0;
  track->told_base_us = track->base_us + (late_us < TOLD_LATE_MAX_US ? MAX (late_us - TOLD_BACK_US, 0) : 0);
}

static gint64 by_arrival (TrackClock *track, gint64 elapsed_us, gint64 arrival_us)
{
  gboolean was_told = track->has_base;
  gint64 late_us = track->has_base ? arrival_us - track->base_us - elapsed_us : G_MAXINT64;
  if (late_us < 0 || late_us > ARRIVAL_RESET_US) /* nothing arrives before it was captured */
    track->base_us = arrival_us - elapsed_us;
  else
    track->base_us += late_us / ARRIVAL_CREEP;
  track->has_base = TRUE;
  tell_by_arrival (track, was_told);
  return track->base_us + elapsed_us;
}

gint64 track_clock_captured_us (TrackClock *track, const CameraClock *camera, gint64 elapsed_us, gint64 arrival_us)
{
  if (!track->is_reported)
    return by_arrival (track, elapsed_us, arrival_us);
  track->base_us = reported_base_us (track, camera);
  gint64 captured_us = track->base_us + elapsed_us;
  return captured_us < arrival_us - LATE_MAX_US ? arrival_us : MIN (captured_us, arrival_us);
}
