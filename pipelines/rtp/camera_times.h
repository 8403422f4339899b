/* camera_times.h: all clocks of one camera's stream: its tracks' timelines, and when what they carry was captured.
 *
 * What is repaired is counted, and each track's capture time and sender report are kept, with the stream.
 *
 * thread: the stream's loop. */
#pragma once

#include "pipelines/rtp/capture_clock.h"
#include "pipelines/rtp/stream.h"

typedef struct {
  Stream *stream;
  Timeline timelines[TRACKS_MAX];
  TrackClock clocks[TRACKS_MAX];
  CameraClock camera;
} CameraTimes;

/* What comes next is of a new connection. */
void camera_times_reconnect (CameraTimes *times);

/* Its tracks; those whose clock rate is the last connection's run on. */
void camera_times_set_tracks (CameraTimes *times, const TrackList *tracks);

/* Repairs the header of an RTP packet in place. Both moments are of its arrival: monotonic, and by our wall clock. */
TimelineStep camera_times_packet (CameraTimes *times, guint track, guint8 *packet, gint64 now_us, gint64 wall_us);

/* Repairs a compound RTCP packet in place, so that its reports say our wall time. FALSE: it must not be passed on. */
gboolean camera_times_rtcp (CameraTimes *times, guint track, guint8 *packet, gsize size, gint64 now_us, gint64 wall_us);
