/* The index built anew from the files: a thread walks them, the oldest days first, while recording goes on; the disk thread
 * enters what it finds. */
#include <string.h>

#include "gateway/core/log.h"
#include "pipelines/record/archive_private.h"
#include "pipelines/record/recorded_files.h"

enum { BATCH_FILES = 128 };

struct Rebuild {
  Archive *archive;
  GThread *thread;
  GHashTable *ends; /* "camera/stream" → gint64: where what was found ends */
  GHashTable *known; /* the disk thread's: "camera/stream" whose last file had a row already */
  GPtrArray *batch; /* of FoundFile: the thread's, and the disk thread's while it is waited for */
  guint files;
  GMutex mutex;
  GCond entered;
  gboolean is_entered;
  gint is_ending;
};

/* Where a file ends within a jitter of the next one, it ends there: as when both were recorded. */
static void join (Rebuild *rebuild, FoundFile *found)
{
  SegmentRow *row = found->row;
  g_autofree char *key = g_strconcat (row->camera, "/", row->stream, NULL);
  const gint64 *end_us = g_hash_table_lookup (rebuild->ends, key);
  FoundFile *before = rebuild->batch->len > 0 ? rebuild->batch->pdata[rebuild->batch->len - 1] : NULL;
  gboolean is_next = end_us != NULL && ABS (row->from_us - *end_us) < GAP_MIN_US;
  if (is_next && before != NULL && strcmp (before->row->camera, row->camera) == 0
      && strcmp (before->row->stream, row->stream) == 0)
    before->row->to_us = row->from_us;
  if (end_us != NULL && row->from_us - *end_us >= GAP_MIN_US)
    found->gap_from_us = *end_us;
  g_hash_table_replace (rebuild->ends, g_steal_pointer (&key), g_memdup2 (&row->to_us, sizeof row->to_us));
}

/* Time before a file is unknown, unless that file and the one before it have rows: then what lies between is known, too. */
static gboolean enter_found (Rebuild *rebuild, const FoundFile *found, GError **error)
{
  RecordingsIndex *index = rebuild->archive->index;
  const SegmentRow *row = found->row;
  g_autofree char *key = g_strconcat (row->camera, "/", row->stream, NULL);
  gboolean has_row = archive_knows_file (rebuild->archive, row), had_row = g_hash_table_contains (rebuild->known, key);
  if (found->gap_from_us != 0 && !(has_row && had_row)
      && !recordings_index_add_gap (index, row->camera, row->stream, found->gap_from_us, row->from_us, "index_rebuilt", error))
    return FALSE;
  if (has_row)
    g_hash_table_add (rebuild->known, g_steal_pointer (&key));
  else
    g_hash_table_remove (rebuild->known, key);
  return has_row || archive_enter_file (rebuild->archive, found, error);
}

/* On the disk thread. */
static void enter_batch (gpointer data)
{
  Rebuild *rebuild = data;
  Archive *archive = rebuild->archive;
  GError *error = NULL;
  for (guint i = 0; i < rebuild->batch->len && error == NULL && archive_index_begin (archive); i++)
    enter_found (rebuild, rebuild->batch->pdata[i], &error);
  archive_log_failure (archive, "index", "all", error);
  archive_index_commit (archive);
  g_mutex_lock (&rebuild->mutex);
  rebuild->is_entered = TRUE;
  g_cond_signal (&rebuild->entered);
  g_mutex_unlock (&rebuild->mutex);
}

/* Waits, so that what is found is never more than a batch. */
static void hand_over (Rebuild *rebuild, ArchiveTask task)
{
  rebuild->is_entered = FALSE;
  archive_call (rebuild->archive, task, rebuild);
  g_mutex_lock (&rebuild->mutex);
  while (!rebuild->is_entered && !g_atomic_int_get (&rebuild->is_ending))
    g_cond_wait (&rebuild->entered, &rebuild->mutex);
  g_mutex_unlock (&rebuild->mutex);
  if (!g_atomic_int_get (&rebuild->is_ending))
    g_ptr_array_set_size (rebuild->batch, 0);
}

static void walk_day (Rebuild *rebuild, const DayFolder *day)
{
  g_autoptr (GPtrArray) names = recorded_names (rebuild->archive->data_dir, day->path);
  for (guint i = 0; i < names->len && !g_atomic_int_get (&rebuild->is_ending); i++) {
    SegmentName name;
    g_autofree char *relative = g_build_filename (day->path, names->pdata[i], NULL);
    FoundFile *found = segment_name_parse (relative, &name) ? found_file_look (rebuild->archive->data_dir, relative, &name) : NULL;
    if (found == NULL)
      continue;
    if (found->row->bytes > 0)
      join (rebuild, found);
    g_ptr_array_add (rebuild->batch, found);
    rebuild->files++;
    if (rebuild->batch->len >= BATCH_FILES && i + 1 < names->len) {
      /* the last one stays: the next may say where it ends */
      g_autoptr (GPtrArray) whole = g_steal_pointer (&rebuild->batch);
      FoundFile *last = g_ptr_array_steal_index (whole, whole->len - 1);
      rebuild->batch = g_steal_pointer (&whole);
      hand_over (rebuild, enter_batch);
      g_ptr_array_add (rebuild->batch, last);
    }
  }
  if (!g_atomic_int_get (&rebuild->is_ending))
    hand_over (rebuild, enter_batch);
}

/* From the end of what was found to what was recorded meanwhile. A last file that has a row may still have grown since. */
static void enter_last_gap (const Rebuild *rebuild, const char *key, gint64 end_us)
{
  Archive *archive = rebuild->archive;
  GError *error = NULL;
  if (g_hash_table_contains (rebuild->known, key))
    return;
  g_auto (GStrv) parts = g_strsplit (key, "/", 2);
  gint64 next_us = recordings_index_begin_after (archive->index, parts[0], parts[1], end_us);
  if (next_us - end_us >= GAP_MIN_US && archive_index_begin (archive))
    recordings_index_add_gap (archive->index, parts[0], parts[1], end_us, next_us, "index_rebuilt", &error);
  archive_log_failure (archive, "index", parts[0], error);
}

static void enter_end (gpointer data)
{
  Rebuild *rebuild = data;
  Archive *archive = rebuild->archive;
  GError *error = NULL;
  GHashTableIter iterator;
  gpointer key, value;
  g_hash_table_iter_init (&iterator, rebuild->ends);
  while (g_hash_table_iter_next (&iterator, &key, &value))
    enter_last_gap (rebuild, key, *(gint64 *) value);
  if (archive_index_begin (archive))
    recordings_index_set_mark (archive->index, ARCHIVE_REBUILDING, FALSE, &error);
  archive_log_failure (archive, "index", "all", error);
  archive_index_commit (archive);
  archive->is_rebuilt = TRUE;
  log_notice ("recordings: the index is whole again, with %u files", rebuild->files);
  g_mutex_lock (&rebuild->mutex);
  rebuild->is_entered = TRUE;
  g_cond_signal (&rebuild->entered);
  g_mutex_unlock (&rebuild->mutex);
}

static gpointer run_rebuild (gpointer data)
{
  Rebuild *rebuild = data;
  g_autoptr (GPtrArray) days = recorded_days (rebuild->archive->data_dir);
  for (guint i = 0; i < days->len && !g_atomic_int_get (&rebuild->is_ending); i++)
    walk_day (rebuild, days->pdata[i]);
  if (!g_atomic_int_get (&rebuild->is_ending))
    hand_over (rebuild, enter_end);
  return NULL;
}

void archive_start_rebuild (Archive *archive)
{
  archive_end_rebuild (archive);
  Rebuild *rebuild = g_new0 (Rebuild, 1);
  rebuild->archive = archive;
  rebuild->ends = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  rebuild->known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  rebuild->batch = g_ptr_array_new_with_free_func (found_file_free);
  g_mutex_init (&rebuild->mutex);
  g_cond_init (&rebuild->entered);
  archive->rebuild = rebuild;
  log_notice ("recordings: the index is built anew from the files");
  rebuild->thread = g_thread_new ("rebuild", run_rebuild, rebuild);
}

void archive_end_rebuild (Archive *archive)
{
  Rebuild *rebuild = g_steal_pointer (&archive->rebuild);
  if (rebuild == NULL)
    return;
  g_mutex_lock (&rebuild->mutex);
  g_atomic_int_set (&rebuild->is_ending, TRUE);
  g_cond_signal (&rebuild->entered);
  g_mutex_unlock (&rebuild->mutex);
  g_thread_join (rebuild->thread);
  g_ptr_array_unref (rebuild->batch);
  g_hash_table_unref (rebuild->ends);
  g_hash_table_unref (rebuild->known);
  g_cond_clear (&rebuild->entered);
  g_mutex_clear (&rebuild->mutex);
  g_free (rebuild);
}
