#include "tests/unit/record/recorded.h"

#include <string.h>

#include "pipelines/live/fragment.h"
#include "tests/support/test.h"

static SampleStream *sample;
GPtrArray *recorded_units;
gint64 recorded_start_us;

ArchiveSettings recorded_settings (gint64 segment_us)
{
  return (ArchiveSettings){ segment_us, { .retain_us = 30 * DAY_US, .keep_at_least_us = 30 * DAY_US } };
}

Archive *recorded_archive (const char *folder, gint64 segment_us, Told *told)
{
  ArchiveSettings settings = recorded_settings (segment_us);
  return archive_new (folder, &settings, clock_system (), told != NULL ? told_note : NULL, told, NULL);
}

void recorded_archive_free (Archive *archive, ArchiveTrack *track)
{
  archive_track_free (track, NULL);
  archive_free (archive);
}

void recorded_write (ArchiveTrack *track, guint from_second, guint to_second, gint64 shift_us, const char *reason)
{
  GPtrArray *batch = NULL;
  guint second = 0;
  gboolean is_new = reason != NULL;
  for (guint i = 0; i <= recorded_units->len; i++) {
    AccessUnit *unit = i < recorded_units->len ? recorded_units->pdata[i] : NULL;
    if (unit == NULL || (access_unit_is_video (unit) && unit->is_key)) {
      if (batch != NULL && second > from_second && second <= to_second) {
        assert_true (archive_write (track, batch, is_new, reason));
        is_new = FALSE;
      } else if (batch != NULL) {
        g_ptr_array_unref (batch);
      }
      batch = unit != NULL ? g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref) : NULL;
      second++;
    }
    if (unit == NULL)
      break;
    AccessUnit *copy = access_unit_new (unit->format, unit->size);
    gint references = copy->references;
    *copy = *unit;
    copy->references = references;
    copy->wall_us += shift_us;
    memcpy (copy->bytes, unit->bytes, unit->size);
    g_ptr_array_add (batch, copy);
  }
}

json_t *recorded_list (const char *folder, gint64 from_us, gint64 to_us)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
  json_t *result = recordings_index_list (index, "bridge", "main", from_us, to_us, to_us, NULL);
  assert_non_null (result);
  return result;
}

gint64 recorded_at (json_t *result, const char *name, guint entry, guint field)
{
  return json_integer_value (json_array_get (json_array_get (json_object_get (result, name), entry), field));
}

guint recorded_count (json_t *result, const char *name)
{
  return (guint) json_array_size (json_object_get (result, name));
}

GPtrArray *recorded_rows (const char *folder)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
  return recordings_index_find (index, "bridge", "main", 0, G_MAXINT64 / 2, 1000, NULL);
}

gboolean recorded_read_memory (gint64 offset, guint8 *bytes, gsize size, gpointer data)
{
  const GBytes *file = data;
  gsize file_size;
  const guint8 *all = g_bytes_get_data ((GBytes *) file, &file_size);
  if (offset < 0 || size > file_size || (gsize) offset > file_size - size)
    return FALSE;
  memcpy (bytes, all + offset, size);
  return TRUE;
}

static guint sum_of (GHashTable *counts)
{
  guint sum = 0;
  GHashTableIter iterator;
  gpointer count;
  g_hash_table_iter_init (&iterator, counts);
  while (g_hash_table_iter_next (&iterator, NULL, &count))
    sum += GPOINTER_TO_UINT (count);
  return sum;
}

void told_note (const ArchiveState *state, gpointer data)
{
  Told *told = data;
  if (*state->camera == '\0') {
    told->changes++;
    told->bytes = state->bytes;
    told->is_recording = state->is_recording;
    g_strlcpy (told->reason, state->reason, sizeof told->reason);
  } else if (strcmp (state->camera, "bridge") == 0) {
    told->is_camera_recording = state->is_recording;
    told->is_writing = state->is_writing;
    told->camera_bytes = state->bytes;
    told->gaps = sum_of (state->gaps);
    g_strlcpy (told->camera_reason, state->reason, sizeof told->camera_reason);
    memcpy (told->deleted_bytes, state->deleted_bytes, sizeof told->deleted_bytes);
  }
}

int recorded_set_up (void **state)
{
  (void) state;
  recorded_start_us = g_get_real_time () - 10 * G_USEC_PER_SEC;
  sample = sample_stream_make ("libx264 -bf 2 -g 25 -keyint_min 25 -sc_threshold 0", SAMPLE_AAC, 8, recorded_start_us);
  recorded_units = sample_stream_units (sample);
  return 0;
}

int recorded_tear_down (void **state)
{
  (void) state;
  g_ptr_array_unref (recorded_units);
  sample_stream_free (sample);
  return 0;
}
