#include "pipelines/record/recorder.h"

#include "gateway/core/log.h"
#include "pipelines/live/fragment.h"

struct Recorder {
  Assembler *assembler;
  Archive *archive;
  AssemblerSink sink;
  gboolean is_sinking;
  RecordingMode mode;
  gint64 pre_roll_us;
  GArray *holds;           /* of gint64: wall times from which on something is kept */

  ArchiveTrack *track;     /* NULL: not to disk */
  GPtrArray *batch;
  gsize batch_bytes;
  gint64 batch_start_us;
  gboolean is_new;         /* the next batch is after a loss */
  const char *loss_reason; /* static */

  GQueue memory;           /* of AccessUnit */
  gsize memory_bytes;
};

static void sink_unit (AssemblerSink *sink, AccessUnit *unit);
static void sink_ended (AssemblerSink *sink, const char *reason);

static GPtrArray *unit_array (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
}

Recorder *recorder_new (Assembler *assembler, Archive *archive)
{
  Recorder *recorder = g_new0 (Recorder, 1);
  recorder->assembler = assembler;
  recorder->archive = archive;
  recorder->mode = RECORDING_OFF;
  recorder->sink = (AssemblerSink){ .unit = sink_unit, .ended = sink_ended };
  recorder->holds = g_array_new (FALSE, FALSE, sizeof (gint64));
  recorder->batch = unit_array ();
  g_queue_init (&recorder->memory);
  return recorder;
}

gboolean recorder_is_continuous (const Recorder *recorder)
{
  return recorder->mode == RECORDING_CONTINUOUS && recorder->archive != NULL;
}

static gboolean wants_disk (const Recorder *recorder)
{
  return recorder->archive != NULL
         && (recorder->mode == RECORDING_CONTINUOUS || (recorder->mode == RECORDING_EVENT && recorder->holds->len > 0));
}

static gboolean wants_memory (const Recorder *recorder)
{
  return !recorder_is_continuous (recorder) && (recorder->pre_roll_us > 0 || recorder->holds->len > 0);
}

/* ---- to disk ---- */

void recorder_flush (Recorder *recorder)
{
  if (recorder->batch->len == 0 || recorder->track == NULL)
    return;
  const AccessUnit *first = recorder->batch->pdata[0];
  gboolean is_key = access_unit_is_video (first) && first->is_key;
  GPtrArray *batch = recorder->batch;
  recorder->batch = unit_array ();
  recorder->batch_bytes = 0;
  if (recorder->is_new && !is_key) {
    g_ptr_array_unref (batch);
    return;
  }
  if (archive_write (recorder->track, batch, recorder->is_new, recorder->loss_reason)) {
    recorder->is_new = FALSE;
    return;
  }
  g_ptr_array_unref (batch);
  recorder->is_new = TRUE;
  recorder->loss_reason = "slow_disk";
  log_limited (LOG_LEVEL_WARNING, "recording %s: the disk is too slow: what comes until the next key frame is lost",
               stream_camera (assembler_stream (recorder->assembler)));
}

static void batch_unit (Recorder *recorder, AccessUnit *unit)
{
  gint64 dts_us = access_unit_dts_us (unit);
  gboolean is_start = access_unit_is_video (unit) && unit->is_key;
  if (recorder->batch->len > 0
      && (is_start || dts_us - recorder->batch_start_us >= RECORDER_BATCH_US
          || recorder->batch->len >= RECORDER_BATCH_UNITS || recorder->batch_bytes >= RECORDER_BATCH_BYTES))
    recorder_flush (recorder);
  if (recorder->batch->len == 0)
    recorder->batch_start_us = dts_us;
  g_ptr_array_add (recorder->batch, access_unit_ref (unit));
  recorder->batch_bytes += unit->size;
}

static void start_disk (Recorder *recorder)
{
  Stream *stream = assembler_stream (recorder->assembler);
  recorder->track = archive_track_new (recorder->archive, stream_camera (stream), stream_name (stream));
  recorder->is_new = FALSE;
  recorder->loss_reason = NULL;
  for (GList *link = recorder->memory.head; link != NULL; link = link->next)
    batch_unit (recorder, link->data);
}

static void stop_disk (Recorder *recorder, const char *reason)
{
  recorder_flush (recorder);
  archive_track_free (recorder->track, reason);
  recorder->track = NULL;
  g_ptr_array_set_size (recorder->batch, 0);
}

/* ---- in memory ---- */

static void drop_first (Recorder *recorder)
{
  AccessUnit *unit = g_queue_pop_head (&recorder->memory);
  recorder->memory_bytes -= unit->size + sizeof *unit;
  access_unit_unref (unit);
}

static gboolean starts_group (const AccessUnit *unit)
{
  return access_unit_is_video (unit) && unit->is_key;
}

static void drop_first_group (Recorder *recorder)
{
  do
    drop_first (recorder);
  while (recorder->memory.length > 0 && !starts_group (recorder->memory.head->data));
}

/* When the second group begins; G_MAXINT64 when there is none. */
static gint64 second_group_us (const Recorder *recorder)
{
  for (GList *link = recorder->memory.head != NULL ? recorder->memory.head->next : NULL; link != NULL; link = link->next)
    if (starts_group (link->data))
      return ((const AccessUnit *) link->data)->wall_us;
  return G_MAXINT64;
}

/* A group goes once the next one begins before all that is wanted. */
static void trim_memory (Recorder *recorder, gint64 now_us)
{
  gint64 wanted_us = now_us - recorder->pre_roll_us;
  for (guint i = 0; i < recorder->holds->len; i++)
    wanted_us = MIN (wanted_us, g_array_index (recorder->holds, gint64, i));
  while (recorder->memory.length > 0
         && (second_group_us (recorder) <= wanted_us || recorder->memory_bytes > RECORDER_MEMORY_BYTES))
    drop_first_group (recorder);
}

static void keep_unit (Recorder *recorder, AccessUnit *unit)
{
  if (recorder->memory.length == 0 && !starts_group (unit))
    return;
  g_queue_push_tail (&recorder->memory, access_unit_ref (unit));
  recorder->memory_bytes += unit->size + sizeof *unit;
  if (starts_group (unit) || recorder->memory_bytes > RECORDER_MEMORY_BYTES)
    trim_memory (recorder, unit->wall_us);
}

static void clear_memory (Recorder *recorder)
{
  g_queue_clear_full (&recorder->memory, (GDestroyNotify) access_unit_unref);
  recorder->memory_bytes = 0;
}

GPtrArray *recorder_units (const Recorder *recorder)
{
  GPtrArray *units = unit_array ();
  for (GList *link = recorder->memory.head; link != NULL; link = link->next)
    g_ptr_array_add (units, access_unit_ref (link->data));
  return units;
}

AccessUnit *recorder_key_near (const Recorder *recorder, gint64 at_us)
{
  AccessUnit *nearest = NULL;
  for (GList *link = recorder->memory.head; link != NULL; link = link->next) {
    AccessUnit *unit = link->data;
    if (starts_group (unit) && (nearest == NULL || ABS (unit->wall_us - at_us) < ABS (nearest->wall_us - at_us)))
      nearest = unit;
  }
  return nearest != NULL ? access_unit_ref (nearest) : NULL;
}

/* ---- what is wanted ---- */

static void sink_unit (AssemblerSink *sink, AccessUnit *unit)
{
  Recorder *recorder = (Recorder *) ((char *) sink - G_STRUCT_OFFSET (Recorder, sink));
  if (wants_memory (recorder))
    keep_unit (recorder, unit);
  if (recorder->track != NULL)
    batch_unit (recorder, unit);
}

static void sink_ended (AssemblerSink *sink, const char *reason)
{
  Recorder *recorder = (Recorder *) ((char *) sink - G_STRUCT_OFFSET (Recorder, sink));
  if (recorder->track == NULL)
    return;
  recorder_flush (recorder);
  archive_pause (recorder->track, *reason != '\0' ? reason : "closed");
}

static void follow_wants (Recorder *recorder)
{
  if (!wants_memory (recorder))
    clear_memory (recorder);
  if (wants_disk (recorder) && recorder->track == NULL)
    start_disk (recorder);
  else if (!wants_disk (recorder) && recorder->track != NULL)
    stop_disk (recorder, NULL);

  gboolean wants_units = wants_memory (recorder) || recorder->track != NULL;
  if (wants_units == recorder->is_sinking)
    return;
  recorder->is_sinking = wants_units;
  if (wants_units)
    assembler_add_sink (recorder->assembler, &recorder->sink);
  else
    assembler_remove_sink (recorder->assembler, &recorder->sink);
}

void recorder_set (Recorder *recorder, RecordingMode mode, gint64 pre_roll_us)
{
  recorder->mode = mode;
  recorder->pre_roll_us = pre_roll_us;
  follow_wants (recorder);
}

void recorder_set_archive (Recorder *recorder, Archive *archive)
{
  recorder->archive = archive;
  follow_wants (recorder);
}

void recorder_hold (Recorder *recorder, gint64 from_us)
{
  g_array_append_val (recorder->holds, from_us);
  follow_wants (recorder);
}

void recorder_release (Recorder *recorder, gint64 from_us)
{
  for (guint i = 0; i < recorder->holds->len; i++)
    if (g_array_index (recorder->holds, gint64, i) == from_us) {
      g_array_remove_index_fast (recorder->holds, i);
      break;
    }
  follow_wants (recorder);
}

void recorder_free (Recorder *recorder, const char *reason)
{
  if (recorder == NULL)
    return;
  if (recorder->is_sinking)
    assembler_remove_sink (recorder->assembler, &recorder->sink);
  if (recorder->track != NULL)
    stop_disk (recorder, reason);
  clear_memory (recorder);
  g_ptr_array_unref (recorder->batch);
  g_array_unref (recorder->holds);
  g_free (recorder);
}
