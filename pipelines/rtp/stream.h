/* stream.h: one camera's stream on its loop: what arrives once and leaves many times.
 *
 * A source (pipelines/rtsp/camera_source) publishes units into it; viewers and taps get them. The stream keeps the current
 * group of pictures, bounded in bytes, so that whoever joins starts at a key frame at once.
 *
 * A tap is somebody inside the process who reads the units: the access-unit assembler that recording, browsers and key
 * pictures share. A tap may add or remove taps and viewers from its callbacks.
 *
 * For a crowd of more than CROWD_TAPS taps that `merges`, units are held back and go out as few long ones: a system call costs as
 * much as the copying of several kilobytes. A unit is held for at most CROWD_HOLD_US after its first byte came.
 *
 * thread: the stream's loop. */
#pragma once

#include "pipelines/rtp/group.h"
#include "pipelines/rtp/loop.h"
#include "pipelines/rtp/sender_report.h"
#include "pipelines/rtp/track.h"
#include "pipelines/rtp/unit.h"

enum { CROWD_TAPS = 20, CROWD_HOLD_US = 105 * 1000 };

typedef struct Stream Stream;
typedef struct StreamTap StreamTap;

/* Embed it; all three are called on the loop. `started` comes first, then units from a random access point on (the kept
 * group first, with their own times), then `ended` when the camera is gone or the tap is removed; after that `started`
 * may come again. A tap that is removed while the camera is not live gets no `ended`. */
struct StreamTap {
  void (*started) (StreamTap *tap, const TrackList *tracks);
  void (*unit) (StreamTap *tap, const Unit *unit); /* keep it with block_ref */
  void (*ended) (StreamTap *tap, const char *reason); /* a camera_state reason, "removed" for the tap's own removal */
  gboolean merges;                /* set before it is added: a unit may be several, one behind the other (unit_join) */
  GList link;                     /* the stream's, as is what follows */
  gboolean waits_for_access_point;
};

/* Somebody looks at it now, which a tap that `merges` says by itself: what comes goes on at once. Whoever only keeps it can wait
 * for a tick of the loop. */
void stream_add_watcher (Stream *stream);
void stream_remove_watcher (Stream *stream);

/* A tap holds the stream wanted: an on-demand camera is pulled while there is one. */
void stream_add_tap (Stream *stream, StreamTap *tap);
void stream_remove_tap (Stream *stream, StreamTap *tap);

Loop *stream_loop (const Stream *stream);
const char *stream_camera (const Stream *stream); /* its camera's id */
const char *stream_name (const Stream *stream);   /* "main" or "sub" */
const char *stream_cname (const Stream *stream);  /* the CNAME of what is sent of it, the same after a restart: 8 characters, for
                                                   * it must fit where a camera wrote its own */

/* What it is now: NULL while the camera isn't live. Lives until `ended` is called. */
const TrackList *stream_tracks (const Stream *stream);

/* The kept group of pictures: whoever adds a tap gets these units first. Empty while there is none. */
const Group *stream_group (const Stream *stream);

/* ---- for the source ---- */

typedef struct {
  guint64 received_bytes, received_packets, lost_packets, repaired_timestamps, malformed_packets;
  guint64 spared_packets; /* not passed on, for memory was spent */
  guint64 repairs[REPAIR_KINDS]; /* repaired_timestamps is their sum */
  gint64 key_frame_interval_us; /* between the last two; 0 while unknown */
  gint64 clock_skew_us;         /* the camera's wall clock minus ours, by its sender reports */
  gboolean has_clock_skew;
  gint64 bitrate;               /* bits a second, of the last whole five seconds */
} StreamCounters;

/* Called when the first tap comes and when the last one leaves. */
typedef void (*StreamWanted) (Stream *stream, gboolean is_wanted, gpointer data);

Stream *stream_new (Loop *loop, const char *camera, const char *name);
void stream_set_wanted (Stream *stream, StreamWanted wanted, gpointer data);

/* The camera plays: takes `tracks`, and starts all taps. */
void stream_begin (Stream *stream, TrackList *tracks);

/* Hands a unit to the kept group and all taps; the caller keeps its own reference to the block. */
void stream_publish (Stream *stream, const Unit *unit);

/* Memory is spent: lets go of the kept group, and keeps nothing until the next random access point. */
void stream_shed (Stream *stream);

/* The camera is gone: ends all taps, which stay for the next stream_begin. */
void stream_end (Stream *stream, const char *reason);

StreamCounters *stream_counters (Stream *stream);

/* The newest sender report of a track, as it was sent on; before the camera's first, what one would say by arrival. Its `ntp`
 * is 0 while nothing came of the track. The source writes it. */
SenderReport *stream_sender_report (Stream *stream, guint track);

/* When the picture or sound with `timestamp` of a track was captured; others of the track lie to it as their timestamps do. */
typedef struct {
  gboolean is_known;    /* a packet has come since the camera is live */
  gboolean is_reported; /* by its sender reports, not by arrival */
  guint32 timestamp;
  gint64 wall_us;
} CaptureTime;

/* The newest; the source writes it. */
CaptureTime *stream_capture_time (Stream *stream, guint track);
gboolean stream_is_wanted (const Stream *stream);
gboolean stream_is_watched (const Stream *stream);

/* Ends and removes all taps, with the reason "removed". */
void stream_free (Stream *stream);
