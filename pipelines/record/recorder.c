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
  gboolean is_on_demand;
  GArray *holds;           /* of gint64: wall times from which on something is kept */

  ArchiveTrack *track;     /* NULL: not to disk */
  GPtrArray *batch;
  gsize batch_bytes;
  gint64 batch_start_us;
  gboolean is_new;         /* the next batch is after a loss */
  const char *loss_reason; /* static */
  gboolean is_waiting;     /* the event is over: the file is held open while what follows is still in memory */

  GQueue memory;           /* of AccessUnit */
  gsize memory_bytes;
  guint64 kept, written;   /* units that were ever put into memory; the place among them behind the last that went to disk */
  gint64 cut_us;           /* wall: memory begins here because of its bound; 0: it never did */
  GArray *losses;          /* of Loss: where the camera was away, as far back as memory reaches */
  char *away_reason;       /* NULL: units come */
};

/* Time was lost before the unit that is number `place` in memory. */
typedef struct {
  guint64 place;
  char *reason;
} Loss;

static void sink_unit (AssemblerSink *sink, AccessUnit *unit);
static void sink_ended (AssemblerSink *sink, const char *reason);

static void loss_clear (gpointer data)
{
  g_free (((Loss *) data)->reason);
}

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
  recorder->losses = g_array_new (FALSE, FALSE, sizeof (Loss));
  g_array_set_clear_func (recorder->losses, loss_clear);
  g_queue_init (&recorder->memory);
  return recorder;
}

static gboolean is_continuous (const Recorder *recorder)
{
  return recorder->mode == RECORDING_CONTINUOUS && recorder->archive != NULL;
}

gboolean recorder_is_on_disk (const Recorder *recorder, gint64 from_us)
{
  return is_continuous (recorder) || (recorder->track != NULL && recorder->cut_us > from_us);
}

static gboolean keeps_pre_roll (const Recorder *recorder)
{
  return recorder->pre_roll_us > 0 && !recorder->is_on_demand;
}

static gboolean wants_disk (const Recorder *recorder)
{
  return recorder->archive != NULL
         && (recorder->mode == RECORDING_CONTINUOUS || (recorder->mode == RECORDING_EVENT && recorder->holds->len > 0));
}

static gboolean wants_memory (const Recorder *recorder)
{
  return !is_continuous (recorder) && (keeps_pre_roll (recorder) || recorder->holds->len > 0);
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

static const char *loss_at (const Recorder *recorder, guint64 place)
{
  for (guint i = 0; i < recorder->losses->len; i++)
    if (g_array_index (recorder->losses, Loss, i).place == place)
      return g_array_index (recorder->losses, Loss, i).reason;
  return NULL;
}

/* What is in memory and not yet on disk. */
static void batch_memory (Recorder *recorder)
{
  guint64 place = recorder->kept - recorder->memory.length;
  for (GList *link = recorder->memory.head; link != NULL; link = link->next, place++) {
    const char *reason = place >= recorder->written ? loss_at (recorder, place) : NULL;
    if (reason != NULL) {
      recorder_flush (recorder);
      archive_pause (recorder->track, reason);
    }
    if (place >= recorder->written)
      batch_unit (recorder, link->data);
  }
  recorder->written = recorder->kept;
}

static const char *reason_for_no_pre_roll (const Recorder *recorder)
{
  if (recorder->is_on_demand)
    return "on_demand";
  const AccessUnit *first = g_queue_peek_head ((GQueue *) &recorder->memory);
  if (first != NULL && recorder->cut_us == first->wall_us)
    return "memory_full";
  return recorder->away_reason != NULL ? recorder->away_reason : "not_received";
}

static void start_disk (Recorder *recorder)
{
  Stream *stream = assembler_stream (recorder->assembler);
  recorder->track = archive_track_new (recorder->archive, stream_camera (stream), stream_name (stream));
  recorder->is_new = FALSE;
  recorder->loss_reason = NULL;
  if (recorder->mode == RECORDING_EVENT)
    archive_begin (recorder->track, g_get_real_time () - recorder->pre_roll_us, reason_for_no_pre_roll (recorder));
  recorder->written = 0;
  batch_memory (recorder);
}

static void stop_disk (Recorder *recorder, const char *reason)
{
  recorder_flush (recorder);
  archive_track_free (recorder->track, recorder->is_waiting ? NULL : reason);
  recorder->track = NULL;
  recorder->is_waiting = FALSE;
  g_ptr_array_set_size (recorder->batch, 0);
}

/* An event is over. Another that begins while memory still reaches back to this place continues it. */
static void wait_for_event (Recorder *recorder)
{
  recorder_flush (recorder);
  recorder->is_waiting = TRUE;
}

static void continue_event (Recorder *recorder)
{
  recorder->is_waiting = FALSE;
  batch_memory (recorder);
}

/* ---- in memory ---- */

static void drop_first (Recorder *recorder)
{
  AccessUnit *unit = g_queue_pop_head (&recorder->memory);
  recorder->memory_bytes -= unit->size + sizeof *unit;
  access_unit_unref (unit);
  if (recorder->losses->len > 0
      && g_array_index (recorder->losses, Loss, 0).place < recorder->kept - recorder->memory.length)
    g_array_remove_index (recorder->losses, 0);
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
  while (recorder->memory.length > 0 && second_group_us (recorder) <= wanted_us)
    drop_first_group (recorder);
  if (recorder->memory_bytes <= RECORDER_MEMORY_BYTES)
    return;
  while (recorder->memory_bytes > RECORDER_MEMORY_BYTES)
    drop_first_group (recorder);
  const AccessUnit *first = g_queue_peek_head (&recorder->memory);
  recorder->cut_us = first != NULL ? first->wall_us : now_us;
  log_limited (LOG_LEVEL_WARNING, "camera %s: what must be kept in memory is more than %d MiB: the oldest is dropped",
               stream_camera (assembler_stream (recorder->assembler)), RECORDER_MEMORY_BYTES / 1024 / 1024);
}

static void keep_unit (Recorder *recorder, AccessUnit *unit)
{
  if (recorder->memory.length == 0 && !starts_group (unit))
    return;
  if (recorder->away_reason != NULL) {
    Loss loss = { recorder->kept, g_steal_pointer (&recorder->away_reason) };
    if (recorder->memory.length > 0)
      g_array_append_val (recorder->losses, loss);
    else
      loss_clear (&loss);
  }
  g_queue_push_tail (&recorder->memory, access_unit_ref (unit));
  recorder->kept++;
  recorder->memory_bytes += unit->size + sizeof *unit;
  if (starts_group (unit) || recorder->memory_bytes > RECORDER_MEMORY_BYTES)
    trim_memory (recorder, unit->wall_us);
}

static void clear_memory (Recorder *recorder)
{
  g_queue_clear_full (&recorder->memory, (GDestroyNotify) access_unit_unref);
  g_array_set_size (recorder->losses, 0);
  recorder->memory_bytes = 0;
  recorder->cut_us = 0;
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
  if (recorder->track == NULL)
    return;
  if (!recorder->is_waiting) {
    batch_unit (recorder, unit);
    recorder->written = recorder->kept;
  } else if (recorder->kept - recorder->memory.length > recorder->written) {
    stop_disk (recorder, NULL);
  }
}

static void sink_ended (AssemblerSink *sink, const char *reason)
{
  Recorder *recorder = (Recorder *) ((char *) sink - G_STRUCT_OFFSET (Recorder, sink));
  const char *known = *reason != '\0' ? reason : "closed";
  g_free (recorder->away_reason);
  recorder->away_reason = g_strdup (known);
  if (recorder->track == NULL)
    return;
  if (recorder->is_waiting) {
    stop_disk (recorder, NULL);
    return;
  }
  recorder_flush (recorder);
  archive_pause (recorder->track, known);
}

/* Nothing is wanted of it: a gap that an earlier process left open ends. */
static void close_gap (Recorder *recorder)
{
  Stream *stream = assembler_stream (recorder->assembler);
  if (recorder->archive != NULL)
    archive_track_free (archive_track_new (recorder->archive, stream_camera (stream), stream_name (stream)), NULL);
}

static gboolean may_go_on (const Recorder *recorder)
{
  return recorder->archive != NULL && recorder->mode == RECORDING_EVENT && keeps_pre_roll (recorder);
}

static void follow_disk (Recorder *recorder)
{
  if (wants_disk (recorder) && recorder->track == NULL)
    start_disk (recorder);
  else if (wants_disk (recorder) && recorder->is_waiting)
    continue_event (recorder);
  else if (!wants_disk (recorder) && recorder->track != NULL && !may_go_on (recorder))
    stop_disk (recorder, NULL);
  else if (!wants_disk (recorder) && recorder->track != NULL && !recorder->is_waiting)
    wait_for_event (recorder);
}

static void follow_wants (Recorder *recorder)
{
  if (!wants_memory (recorder))
    clear_memory (recorder);
  follow_disk (recorder);
  gboolean wants_units = wants_memory (recorder) || recorder->track != NULL;
  if (wants_units == recorder->is_sinking)
    return;
  recorder->is_sinking = wants_units;
  if (wants_units)
    assembler_add_sink (recorder->assembler, &recorder->sink);
  else
    assembler_remove_sink (recorder->assembler, &recorder->sink);
}

void recorder_set (Recorder *recorder, RecordingMode mode, gint64 pre_roll_us, gboolean is_on_demand)
{
  recorder->mode = mode;
  recorder->pre_roll_us = pre_roll_us;
  recorder->is_on_demand = is_on_demand;
  follow_wants (recorder);
  if (recorder->track == NULL)
    close_gap (recorder);
}

void recorder_set_archive (Recorder *recorder, Archive *archive)
{
  recorder->archive = archive;
  follow_wants (recorder);
  if (recorder->track == NULL)
    close_gap (recorder);
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
  g_array_unref (recorder->losses);
  g_free (recorder->away_reason);
  g_free (recorder);
}
