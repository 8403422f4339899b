#include "pipelines/live/assembler.h"

#include "gateway/core/log.h"
#include "pipelines/live/audio_encoder.h"
#include "pipelines/live/coded_sound.h"
#include "pipelines/live/decode_order.h"
#include "pipelines/live/fragment.h"
#include "pipelines/rtp/big_endian.h"

enum {
  JUMP_US = 10 * G_USEC_PER_SEC,       /* a step in RTP time that is no pause of the camera's any more */
  AUDIO_MISSING_US = 3 * G_USEC_PER_SEC,
  ASTRAY_US = 500 * 1000,              /* sound this far from the picture is heard to be; by arrival no less can be told */
  ASTRAY_REPORTED_US = 100 * 1000,     /* by sender reports it can */
  ASTRAY_FOR_US = G_USEC_PER_SEC,      /* and for this long it is the clocks' doing, not a burst's */
};

struct Assembler {
  Stream *stream;
  StreamTap tap;
  gboolean is_tapping, is_in_unit;
  GQueue sinks;      /* by their embedded links */
  GList *next_sink;
  AssemblerSink *replaying;

  int video_track, audio_track; /* -1: none */
  Depacketizer *video, *audio;
  AudioEncoder *encoder;        /* NULL when the sound is AAC already */
  AssemblerCounts counts;       /* of the depacketizers before these */

  gboolean has_video_time, has_audio_time;
  gint64 video_offset, audio_offset; /* added to RTP ticks */
  gint64 video_last, audio_last_us, video_last_us;
  gint64 audio_last_dts;
  gint64 anchor_us, anchor_wall_us;  /* where the newest picture is on the timeline, and the wall's moment of it */
  gboolean is_audio_astray;
  gint64 astray_from_us;
  gint64 next_start_us;              /* where the timeline goes on after an end or a jump */
  DecodeOrder order;
  MediaFormat *video_format, *audio_format;
  GPtrArray *kept;
  gsize kept_bytes;
};

static void tap_started (StreamTap *tap, const TrackList *tracks);
static void tap_unit (StreamTap *tap, const Unit *unit);
static void tap_ended (StreamTap *tap, const char *reason);

Assembler *assembler_new (Stream *stream)
{
  Assembler *assembler = g_new0 (Assembler, 1);
  assembler->stream = stream;
  assembler->tap = (StreamTap){ .started = tap_started, .unit = tap_unit, .ended = tap_ended };
  assembler->kept = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
  assembler->video_track = assembler->audio_track = -1;
  g_queue_init (&assembler->sinks);
  return assembler;
}

static void keep (Assembler *assembler, AccessUnit *unit)
{
  gboolean is_start = access_unit_is_video (unit) && unit->is_key;
  if (is_start || assembler->kept_bytes + unit->size > ASSEMBLER_KEPT_BYTES || assembler->kept->len >= ASSEMBLER_KEPT_UNITS) {
    g_ptr_array_set_size (assembler->kept, 0);
    assembler->kept_bytes = 0;
  }
  if (!is_start && assembler->kept->len == 0)
    return;
  g_ptr_array_add (assembler->kept, access_unit_ref (unit));
  assembler->kept_bytes += unit->size;
}

/* Takes `unit`. */
static void publish (Assembler *assembler, AccessUnit *unit)
{
  keep (assembler, unit);
  for (GList *link = assembler->sinks.head; link != NULL; link = assembler->next_sink) {
    AssemblerSink *sink = link->data;
    assembler->next_sink = link->next;
    sink->unit (sink, unit);
  }
  access_unit_unref (unit);
}

static void tell_end (Assembler *assembler, const char *reason)
{
  for (GList *link = assembler->sinks.head; link != NULL; link = assembler->next_sink) {
    AssemblerSink *sink = link->data;
    assembler->next_sink = link->next;
    sink->ended (sink, reason);
  }
}

static void forget_time (Assembler *assembler)
{
  assembler->next_start_us = MAX (assembler->video_last_us, assembler->audio_last_us);
  if (assembler->next_start_us > 0)
    assembler->next_start_us += G_USEC_PER_SEC / 25;
  assembler->has_video_time = assembler->has_audio_time = assembler->is_audio_astray = FALSE;
  g_ptr_array_set_size (assembler->kept, 0);
  assembler->kept_bytes = 0;
}

static gint64 to_ticks (gint64 microseconds, guint32 time_scale)
{
  return microseconds * time_scale / G_USEC_PER_SEC;
}

/* The first picture must be a key; its place on the timeline leaves room for the pictures shown before the next ones. */
static gboolean start_video_time (Assembler *assembler, const AccessUnit *unit)
{
  if (!unit->is_key)
    return FALSE;
  guint32 scale = unit->format->time_scale;
  gint64 interval = scale / 25;
  gint64 start = to_ticks (assembler->next_start_us, scale) + unit->format->reorder * interval;
  assembler->video_offset = start - unit->pts;
  assembler->video_last = unit->pts;
  assembler->audio_last_us = start * G_USEC_PER_SEC / scale;
  assembler->has_video_time = TRUE;
  decode_order_start (&assembler->order, unit->format->reorder, interval);
  return TRUE;
}

/* Takes `unit`. */
static void take_video (AccessUnit *unit, gpointer data)
{
  Assembler *assembler = data;
  gint64 step_us = (unit->pts - assembler->video_last) * G_USEC_PER_SEC / unit->format->time_scale;
  if (assembler->has_video_time && ABS (step_us) > JUMP_US) {
    assembler->counts.jumps++;
    forget_time (assembler);
    tell_end (assembler, "restarted");
  }
  if (!assembler->has_video_time && !start_video_time (assembler, unit)) {
    access_unit_unref (unit);
    return;
  }
  if (unit->format != assembler->video_format) {
    media_format_unref (assembler->video_format);
    assembler->video_format = media_format_ref (unit->format);
    assembler->order.depth = MAX (assembler->order.depth, unit->format->reorder);
  }
  assembler->video_last = unit->pts;
  unit->pts += assembler->video_offset;
  unit->dts = decode_order_next (&assembler->order, unit->pts);
  unit->duration = (guint32) CLAMP (assembler->order.interval, 1, (gint64) unit->format->time_scale);
  assembler->video_last_us = access_unit_dts_us (unit);
  assembler->anchor_us = access_unit_pts_us (unit);
  assembler->anchor_wall_us = unit->wall_us;
  unit->is_reported = stream_capture_time (assembler->stream, (guint) assembler->video_track)->is_reported;
  publish (assembler, unit);
}

/* Whether the sound's clock has run away from the picture's: tens of ppm are seconds after a day. */
static gboolean is_adrift (Assembler *assembler, gint64 now_us, gint64 expected_us, gboolean is_reported)
{
  gboolean was_astray = assembler->is_audio_astray;
  assembler->is_audio_astray = ABS (now_us - expected_us) > (is_reported ? ASTRAY_REPORTED_US : ASTRAY_US);
  if (assembler->is_audio_astray && !was_astray)
    assembler->astray_from_us = now_us;
  return assembler->is_audio_astray && now_us - assembler->astray_from_us >= ASTRAY_FOR_US;
}

/* Takes `unit`. Sound before the first picture has no place. Sound that ran ahead is left out until the picture is there. */
static void take_audio (AccessUnit *unit, gpointer data)
{
  Assembler *assembler = data;
  guint32 scale = unit->format->time_scale;
  gint64 expected_us = assembler->anchor_us + unit->wall_us - assembler->anchor_wall_us;
  gint64 now_us = (unit->pts + assembler->audio_offset) * G_USEC_PER_SEC / scale;
  unit->is_reported = stream_capture_time (assembler->stream, (guint) assembler->audio_track)->is_reported;

  if (assembler->has_video_time && (!assembler->has_audio_time || ABS (now_us - assembler->audio_last_us) > JUMP_US)) {
    assembler->has_audio_time = TRUE;
    assembler->audio_offset = to_ticks (MAX (expected_us, assembler->audio_last_us), scale) - unit->pts;
    assembler->audio_last_dts = -1;
    assembler->is_audio_astray = FALSE;
  } else if (assembler->has_video_time && is_adrift (assembler, now_us, expected_us, unit->is_reported)) {
    assembler->audio_offset = to_ticks (expected_us, scale) - unit->pts;
    assembler->is_audio_astray = FALSE;
  }
  unit->pts = unit->dts = unit->pts + assembler->audio_offset;
  if (!assembler->has_video_time || unit->dts < 0 || unit->dts <= assembler->audio_last_dts) {
    access_unit_unref (unit);
    return;
  }
  if (unit->format != assembler->audio_format) {
    media_format_unref (assembler->audio_format);
    assembler->audio_format = media_format_ref (unit->format);
  }
  assembler->audio_last_dts = unit->dts;
  assembler->audio_last_us = access_unit_dts_us (unit);
  publish (assembler, unit);
}

/* Takes `unit`: samples to be encoded. */
static void take_samples (AccessUnit *unit, gpointer data)
{
  Assembler *assembler = data;
  audio_encoder_push (assembler->encoder, unit);
  access_unit_unref (unit);
}

static void add_counts (DepacketizerCounts *sum, const Depacketizer *depacketizer)
{
  DepacketizerCounts counts = depacketizer_counts (depacketizer);
  sum->units += counts.units;
  sum->broken += counts.broken;
  sum->malformed += counts.malformed;
  sum->waiting += counts.waiting;
}

static void drop_tracks (Assembler *assembler)
{
  if (assembler->video != NULL)
    add_counts (&assembler->counts.video, assembler->video);
  if (assembler->audio != NULL)
    add_counts (&assembler->counts.audio, assembler->audio);
  g_clear_pointer (&assembler->video, depacketizer_free);
  g_clear_pointer (&assembler->audio, depacketizer_free);
  g_clear_pointer (&assembler->encoder, audio_encoder_free);
  assembler->video_track = assembler->audio_track = -1;
}

static Depacketizer *depacketizer_or_log (Assembler *assembler, const Track *track, DepacketizerOutput output)
{
  g_autoptr (GError) error = NULL;
  Depacketizer *depacketizer = depacketizer_new (track, output, assembler, &error);
  if (depacketizer == NULL)
    log_warning ("camera %s: %s", stream_camera (assembler->stream), error->message);
  return depacketizer;
}

static void start_audio (Assembler *assembler, const Track *track)
{
  g_autoptr (GError) error = NULL;
  gboolean is_encoded = coded_sound_find (track->encoding) != NULL;
  if (is_encoded) {
    assembler->encoder = audio_encoder_new (track, take_audio, assembler, &error);
    if (assembler->encoder == NULL) {
      log_warning ("camera %s: %s: no sound", stream_camera (assembler->stream), error->message);
      return;
    }
  }
  assembler->audio = depacketizer_or_log (assembler, track, is_encoded ? take_samples : take_audio);
}

static void tap_started (StreamTap *tap, const TrackList *tracks)
{
  Assembler *assembler = (Assembler *) ((char *) tap - G_STRUCT_OFFSET (Assembler, tap));
  drop_tracks (assembler);
  forget_time (assembler);
  for (guint i = 0; i < tracks->count; i++) {
    const Track *track = &tracks->tracks[i];
    if (track->medium == MEDIUM_VIDEO && assembler->video == NULL) {
      assembler->video = depacketizer_or_log (assembler, track, take_video);
      assembler->video_track = (int) i;
    } else if (track->medium == MEDIUM_AUDIO && assembler->audio == NULL) {
      start_audio (assembler, track);
      assembler->audio_track = (int) i;
    }
  }
}

/* When a packet of `track` was captured. */
static gint64 captured_us (const Assembler *assembler, const Unit *unit, guint track, const guint8 *packet, gsize size)
{
  const CaptureTime *capture = stream_capture_time (assembler->stream, track);
  if (!capture->is_known || size < 12)
    return unit->wall_us;
  gint64 ticks = (gint32) (read_32 (packet + 4) - capture->timestamp);
  return capture->wall_us + ticks * G_USEC_PER_SEC / stream_tracks (assembler->stream)->tracks[track].clock_rate;
}

static void push_packets (Assembler *assembler, const Unit *unit)
{
  const guint8 *bytes = unit->block->bytes + unit->offset;

  for (gsize at = 0; at + 4 <= unit->size;) {
    gsize size = (gsize) bytes[at + 2] << 8 | bytes[at + 3];
    int channel = bytes[at + 1];
    if (size > unit->size - at - 4)
      return;
    Depacketizer *depacketizer = channel == 2 * assembler->video_track   ? assembler->video
                                 : channel == 2 * assembler->audio_track ? assembler->audio
                                                                         : NULL;
    if (depacketizer != NULL)
      depacketizer_push (depacketizer, bytes + at + 4, size,
                         captured_us (assembler, unit, (guint) channel / 2, bytes + at + 4, size));
    at += 4 + size;
  }
  if (unit->ends_access_unit && assembler->video != NULL)
    depacketizer_flush (assembler->video);
}

/* The tap leaves, and its depacketizers are freed, only once no unit is under way. */
static void leave_stream_if_idle (Assembler *assembler)
{
  if (assembler->sinks.length > 0 || !assembler->is_tapping || assembler->is_in_unit)
    return;
  assembler->is_tapping = FALSE;
  stream_remove_tap (assembler->stream, &assembler->tap);
  drop_tracks (assembler); /* there is no `ended` while the camera is not live */
}

static void tap_unit (StreamTap *tap, const Unit *unit)
{
  Assembler *assembler = (Assembler *) ((char *) tap - G_STRUCT_OFFSET (Assembler, tap));
  assembler->is_in_unit = TRUE;
  push_packets (assembler, unit);
  assembler->is_in_unit = FALSE;
  leave_stream_if_idle (assembler);
}

static void tap_ended (StreamTap *tap, const char *reason)
{
  Assembler *assembler = (Assembler *) ((char *) tap - G_STRUCT_OFFSET (Assembler, tap));
  assembler->is_in_unit = TRUE;
  if (assembler->video != NULL)
    depacketizer_flush (assembler->video);
  drop_tracks (assembler);
  forget_time (assembler);
  tell_end (assembler, reason);
  assembler->is_in_unit = FALSE;
  leave_stream_if_idle (assembler);
}

static void replay (Assembler *assembler, AssemblerSink *sink)
{
  g_autoptr (GPtrArray) units = g_ptr_array_copy (assembler->kept, (GCopyFunc) (void (*) (void)) access_unit_ref, NULL);
  g_ptr_array_set_free_func (units, (GDestroyNotify) access_unit_unref);
  assembler->replaying = sink;
  for (guint i = 0; i < units->len && assembler->replaying == sink; i++)
    sink->unit (sink, units->pdata[i]);
  assembler->replaying = NULL;
}

void assembler_add_sink (Assembler *assembler, AssemblerSink *sink)
{
  sink->link = (GList){ .data = sink };
  g_queue_push_head_link (&assembler->sinks, &sink->link); /* a walk that is under way goes on without it */
  if (assembler->is_tapping) {
    replay (assembler, sink);
    return;
  }
  assembler->is_tapping = TRUE;
  stream_add_tap (assembler->stream, &assembler->tap); /* which replays the stream's own kept group */
}

void assembler_remove_sink (Assembler *assembler, AssemblerSink *sink)
{
  if (sink->link.data == NULL)
    return;
  if (assembler->next_sink == &sink->link)
    assembler->next_sink = sink->link.next;
  if (assembler->replaying == sink)
    assembler->replaying = NULL;
  g_queue_unlink (&assembler->sinks, &sink->link);
  sink->link.data = NULL;
  leave_stream_if_idle (assembler);
}

gboolean assembler_expects_audio (const Assembler *assembler)
{
  return assembler->audio != NULL && assembler->video_last_us - assembler->audio_last_us < AUDIO_MISSING_US;
}

MediaFormat *assembler_video_format (const Assembler *assembler)
{
  return assembler->video_format;
}

MediaFormat *assembler_audio_format (const Assembler *assembler)
{
  return assembler->audio_format;
}

AccessUnit *assembler_key_unit (const Assembler *assembler)
{
  return assembler->kept->len > 0 ? assembler->kept->pdata[0] : NULL;
}

AssemblerCounts assembler_counts (const Assembler *assembler)
{
  AssemblerCounts counts = assembler->counts;
  if (assembler->video != NULL)
    add_counts (&counts.video, assembler->video);
  if (assembler->audio != NULL)
    add_counts (&counts.audio, assembler->audio);
  return counts;
}

Stream *assembler_stream (const Assembler *assembler)
{
  return assembler->stream;
}

void assembler_free (Assembler *assembler)
{
  if (assembler == NULL)
    return;
  g_assert (assembler->sinks.length == 0);
  drop_tracks (assembler);
  media_format_unref (assembler->video_format);
  media_format_unref (assembler->audio_format);
  g_ptr_array_unref (assembler->kept);
  g_free (assembler);
}
