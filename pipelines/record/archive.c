#include "pipelines/record/archive.h"

#include "gateway/core/memory.h"
#include "pipelines/record/archive_private.h"

enum {
  TICK_US = G_USEC_PER_SEC,
  QUEUE_BYTES_LEAST = 64 * 1024 * 1024,
  QUEUE_BYTES_MOST = 512 * 1024 * 1024, /* ten seconds of 200 cameras of 2 Mb/s */
};

typedef enum { ITEM_BEGIN, ITEM_UNITS, ITEM_PAUSE, ITEM_FREE, ITEM_CALL } ItemKind;

typedef struct {
  ItemKind kind;
  ArchiveTrack *track;
  GPtrArray *units;
  gboolean is_new;
  gint64 from_us;
  char *reason;
  ArchiveTask task;
  gpointer data;
} Item;

static void item_free (Item *item)
{
  if (item->units != NULL)
    g_ptr_array_unref (item->units);
  g_free (item->reason);
  g_free (item);
}

static void open_segment_free (gpointer data)
{
  OpenSegment *segment = data;
  segment_file_free (segment->file);
  segment_row_free (segment->row);
  g_free (segment);
}

static void forget_track (ArchiveTrack *track)
{
  g_ptr_array_remove_fast (track->archive->tracks, track);
  g_free (track->gap_reason);
  g_free (track->camera);
  g_free (track->stream);
  g_free (track);
}

static void run_item (Archive *archive, Item *item)
{
  switch (item->kind) {
  case ITEM_BEGIN:
    archive_disk_begin (item->track, item->from_us, item->reason);
    break;
  case ITEM_UNITS:
    archive_disk_write (item->track, item->units, item->is_new, item->reason);
    break;
  case ITEM_PAUSE:
    archive_disk_pause (item->track, item->reason);
    break;
  case ITEM_FREE:
    archive_disk_pause (item->track, item->reason);
    forget_track (item->track);
    break;
  case ITEM_CALL:
    archive_disk_sync (archive);
    item->task (item->data);
    break;
  }
  item_free (item);
}

static gpointer run (gpointer data)
{
  Archive *archive = data;
  Item quit = { .kind = ITEM_CALL };
  gint64 next_us = g_get_monotonic_time () + TICK_US;
  for (;;) {
    Item *item = queue_pop (archive->queue, MAX (next_us - g_get_monotonic_time (), 1));
    if (item != NULL && item->kind == quit.kind && item->task == NULL) {
      item_free (item);
      break;
    }
    if (item != NULL)
      run_item (archive, item);
    gint64 start_us = g_get_monotonic_time ();
    if (start_us < next_us)
      continue;
    if (archive->is_broken)
      archive_replace_index (archive);
    archive_disk_sync (archive);
    archive_disk_retain (archive);
    gint64 end_us = g_get_monotonic_time ();
    next_us = end_us + MAX (TICK_US, 4 * (end_us - start_us));
  }
  archive_disk_close (archive);
  return NULL;
}

void archive_camera_free (ArchiveCamera *camera)
{
  g_free (camera->camera);
  g_free (camera);
}

static void settings_clear (ArchiveSettings *settings)
{
  g_clear_pointer (&settings->cameras, g_ptr_array_unref);
  g_clear_pointer (&settings->holds, g_ptr_array_unref);
}

gsize archive_queue_bytes (guint64 memory_bytes)
{
  return (gsize) CLAMP (memory_bytes / 8, MIN (QUEUE_BYTES_LEAST, memory_bytes / 4), QUEUE_BYTES_MOST);
}

Archive *archive_new (const char *data_dir, const ArchiveSettings *settings, const Clock *clock, ArchiveChanged changed,
                      gpointer data, GError **error)
{
  Archive *archive = g_new0 (Archive, 1);
  g_mutex_init (&archive->mutex);
  archive->data_dir = g_strdup (data_dir);
  archive_set (archive, settings);
  archive->clock = clock;
  archive->changed = changed;
  archive->data = data;
  archive->tracks = g_ptr_array_new ();
  archive->ended = g_ptr_array_new_with_free_func (open_segment_free);
  archive->accounts = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, camera_account_free);
  gsize queue_bytes = settings->queue_bytes > 0 ? settings->queue_bytes : archive_queue_bytes (memory_limit_bytes ());
  archive->queue = queue_new (ARCHIVE_QUEUE_ITEMS, queue_bytes, (GDestroyNotify) item_free);
  if (!archive_disk_open (archive, error)) {
    archive_free (archive);
    return NULL;
  }
  archive->thread = g_thread_new ("disk", run, archive);
  return archive;
}

void archive_set (Archive *archive, const ArchiveSettings *settings)
{
  ArchiveSettings taken = *settings;
  if (taken.cameras != NULL)
    g_ptr_array_ref (taken.cameras);
  if (taken.holds != NULL)
    g_ptr_array_ref (taken.holds);
  g_mutex_lock (&archive->mutex);
  ArchiveSettings before = archive->settings;
  archive->settings = taken;
  archive->settings_version++;
  g_mutex_unlock (&archive->mutex);
  settings_clear (&before);
}

gint64 archive_predecessor_end_us (const Archive *archive)
{
  return archive->predecessor_end_us;
}

const char *archive_data_dir (const Archive *archive)
{
  return archive->data_dir;
}

ArchiveTrack *archive_track_new (Archive *archive, const char *camera, const char *stream)
{
  ArchiveTrack *track = g_new0 (ArchiveTrack, 1);
  track->archive = archive;
  track->camera = g_strdup (camera);
  track->stream = g_strdup (stream);
  return track;
}

static gsize bytes_of (const GPtrArray *units)
{
  gsize bytes = 0;
  for (guint i = 0; i < units->len; i++)
    bytes += ((const AccessUnit *) units->pdata[i])->size + sizeof (AccessUnit);
  return bytes;
}

gboolean archive_write (ArchiveTrack *track, GPtrArray *units, gboolean is_new, const char *reason)
{
  Item *item = g_new0 (Item, 1);
  *item = (Item){ .kind = ITEM_UNITS, .track = track, .units = units, .is_new = is_new, .reason = g_strdup (reason) };
  if (queue_push (track->archive->queue, item, bytes_of (units))) {
    track->is_paused = FALSE;
    return TRUE;
  }
  item->units = NULL;
  item_free (item);
  return FALSE;
}

/* They must neither be lost nor make a loop wait for a disk that hangs. There are few: to what was written a track adds one pause, its
 * begin and its end, and whoever calls waits for the answer. */
static void push_control (Archive *archive, Item control)
{
  queue_push_beyond (archive->queue, g_memdup2 (&control, sizeof control));
}

void archive_begin (ArchiveTrack *track, gint64 from_us, const char *reason)
{
  push_control (track->archive,
                (Item){ .kind = ITEM_BEGIN, .track = track, .from_us = from_us, .reason = g_strdup (reason) });
}

void archive_pause (ArchiveTrack *track, const char *reason)
{
  if (track->is_paused && reason != NULL)
    return; /* the gap that lasts has its reason */
  track->is_paused = reason != NULL;
  push_control (track->archive, (Item){ .kind = ITEM_PAUSE, .track = track, .reason = g_strdup (reason) });
}

void archive_track_free (ArchiveTrack *track, const char *reason)
{
  if (track != NULL)
    push_control (track->archive, (Item){ .kind = ITEM_FREE, .track = track, .reason = g_strdup (reason) });
}

void archive_call (Archive *archive, ArchiveTask task, gpointer data)
{
  push_control (archive, (Item){ .kind = ITEM_CALL, .task = task, .data = data });
}

typedef struct {
  Archive *archive;
  GMutex mutex;
  GCond done;
  gboolean is_done;
} Flush;

static void finish_flush (gpointer data)
{
  Flush *flush = data;
  archive_disk_retain (flush->archive);
  g_mutex_lock (&flush->mutex);
  flush->is_done = TRUE;
  g_cond_signal (&flush->done);
  g_mutex_unlock (&flush->mutex);
}

void archive_flush (Archive *archive)
{
  Flush flush = { .archive = archive };
  g_mutex_init (&flush.mutex);
  g_cond_init (&flush.done);
  archive_call (archive, finish_flush, &flush);
  g_mutex_lock (&flush.mutex);
  while (!flush.is_done)
    g_cond_wait (&flush.done, &flush.mutex);
  g_mutex_unlock (&flush.mutex);
  g_cond_clear (&flush.done);
  g_mutex_clear (&flush.mutex);
}

void archive_free (Archive *archive)
{
  if (archive == NULL)
    return;
  if (archive->thread != NULL) {
    push_control (archive, (Item){ .kind = ITEM_CALL });
    g_thread_join (archive->thread);
  }
  queue_free (archive->queue);
  settings_clear (&archive->settings);
  g_mutex_clear (&archive->mutex);
  g_ptr_array_unref (archive->ended);
  g_hash_table_unref (archive->accounts);
  g_ptr_array_unref (archive->tracks);
  recordings_index_close (archive->index);
  g_free (archive->data_dir);
  g_free (archive);
}
