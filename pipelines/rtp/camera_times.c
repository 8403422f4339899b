#include "pipelines/rtp/camera_times.h"

enum { REPORT_FAR_US = 10 * G_USEC_PER_SEC }; /* a report about a time so far from the newest packet's is about nothing */

void camera_times_reconnect (CameraTimes *times)
{
  camera_clock_restart (&times->camera);
  for (guint i = 0; i < TRACKS_MAX; i++) {
    timeline_reconnect (&times->timelines[i]);
    track_clock_restart (&times->clocks[i]);
  }
}

void camera_times_set_tracks (CameraTimes *times, const TrackList *tracks)
{
  for (guint i = 0; i < tracks->count; i++) {
    const Track *track = &tracks->tracks[i];
    if (times->timelines[i].clock_rate == track->clock_rate)
      continue;
    timeline_init (&times->timelines[i], track->clock_rate, track->medium == MEDIUM_VIDEO);
    times->clocks[i] = (TrackClock){ 0 };
  }
}

static void count_repairs (CameraTimes *times, guint track, guint repairs)
{
  const guint harmless = 1 << REPAIR_REORDERED | 1 << REPAIR_DUPLICATED | 1 << REPAIR_REPORT;
  StreamCounters *counters = stream_counters (times->stream);
  for (guint kind = 0; repairs >> kind != 0; kind++) {
    counters->repairs[kind] += repairs >> kind & 1;
    counters->repaired_timestamps += repairs >> kind & 1;
  }
  if (repairs & ~harmless)
    track_clock_repaired (&times->clocks[track]);
}

static guint64 told_ntp (const TrackClock *clock, gint64 elapsed_us, gint64 wall_offset_us)
{
  return ntp_from_wall_us (clock->told_base_us + elapsed_us + wall_offset_us);
}

static void note_capture (CameraTimes *times, guint track, gint64 now_us, gint64 wall_us)
{
  const Timeline *timeline = &times->timelines[track];
  TrackClock *clock = &times->clocks[track];
  guint32 timestamp = (guint32) timeline->ticks;
  gint64 elapsed_us = timeline_elapsed_us (timeline);
  gint64 captured_us = track_clock_captured_us (clock, &times->camera, elapsed_us, now_us);
  *stream_capture_time (times->stream, track) = (CaptureTime){ TRUE, clock->is_reported, timestamp,
                                                               captured_us + wall_us - now_us };
  if (!clock->is_reported) /* who joins now is told something at once */
    *stream_sender_report (times->stream, track) = (SenderReport){ told_ntp (clock, elapsed_us, wall_us - now_us), timestamp,
                                                                   timeline->ssrc, timeline->clock_rate };
}

TimelineStep camera_times_packet (CameraTimes *times, guint track, guint8 *packet, gint64 now_us, gint64 wall_us)
{
  StreamCounters *counters = stream_counters (times->stream);
  TimelineStep step = timeline_packet (&times->timelines[track], packet, now_us);
  counters->received_packets++;
  counters->lost_packets += step.lost;
  if (step.repairs & 1 << REPAIR_REORDERED && counters->lost_packets > 0)
    counters->lost_packets--;
  if (step.repairs != 0)
    count_repairs (times, track, step.repairs);
  if (step.is_new_timestamp || !stream_capture_time (times->stream, track)->is_known)
    note_capture (times, track, now_us, wall_us);
  return step;
}

static gboolean take_report (CameraTimes *times, guint track, SenderReport *report, gint64 now_us, gint64 wall_us)
{
  const Timeline *timeline = &times->timelines[track];
  StreamCounters *counters = stream_counters (times->stream);
  TrackClock *clock = &times->clocks[track];
  gint64 ticks = timeline->ticks + (gint32) (report->timestamp - (guint32) timeline->ticks);
  gint64 elapsed_us = timeline_ticks_us (timeline, ticks);

  if (ABS (elapsed_us - timeline_elapsed_us (timeline)) > REPORT_FAR_US) {
    count_repairs (times, track, 1 << REPAIR_REPORT);
    return FALSE;
  }
  if (report->ntp != 0) { /* a camera without a clock says none (RFC 3550 6.4.1) */
    if (!track_clock_report (clock, &times->camera, sender_report_wall_us (report), elapsed_us, now_us))
      count_repairs (times, track, 1 << REPAIR_REPORT);
    counters->clock_skew_us = clock->shift_us - times->camera.difference_us - (wall_us - now_us);
    counters->has_clock_skew = TRUE;
  }
  report->ntp = told_ntp (clock, elapsed_us, wall_us - now_us);
  *stream_sender_report (times->stream, track) = *report;
  return TRUE;
}

gboolean camera_times_rtcp (CameraTimes *times, guint track, guint8 *packet, gsize size, gint64 now_us, gint64 wall_us)
{
  SenderReport report = { 0 };
  if (!timeline_rtcp (&times->timelines[track], packet, size, &report))
    return FALSE;
  rtcp_set_name (packet, size, stream_cname (times->stream));
  if (report.clock_rate == 0) /* none */
    return TRUE;
  if (!take_report (times, track, &report, now_us, wall_us))
    return FALSE;
  rtcp_set_ntp (packet, size, report.ntp);
  return TRUE;
}
