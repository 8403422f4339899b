#include "tests/unit/playback/recordings.h"

#include <signal.h>
#include <string.h>

#include "pipelines/live/fragment.h"
#include "pipelines/record/archive.h"
#include "tests/support/test.h"

const gint64 recordings_start_us = G_GINT64_CONSTANT (1777622400) * G_USEC_PER_SEC;
GPtrArray *recordings_units;
static SampleStream *sample;

#define LONG_US (3650 * G_TIME_SPAN_DAY)

static AccessUnit *copy_at (const AccessUnit *unit, gint64 zero_wall_us)
{
  AccessUnit *copy = access_unit_new (unit->format, unit->size);
  copy->is_key = unit->is_key;
  copy->pts = unit->pts;
  copy->dts = unit->dts;
  copy->duration = unit->duration;
  copy->wall_us = zero_wall_us + access_unit_pts_us (unit);
  memcpy (copy->bytes, unit->bytes, unit->size);
  return copy;
}

void recordings_add (const char *folder, const GPtrArray *units, gint64 from_us, gint64 segment_us)
{
  ArchiveSettings settings = { segment_us, { .retain_us = LONG_US, .keep_at_least_us = LONG_US } };
  Archive *archive = archive_new (folder, &settings, clock_system (), NULL, NULL, NULL);
  ArchiveTrack *track = archive_track_new (archive, "bridge", "main");
  gint64 zero_wall_us = from_us - access_unit_dts_us (units->pdata[0]);
  GPtrArray *batch = NULL;
  gboolean is_new = TRUE;
  for (guint i = 0; i <= units->len; i++) {
    const AccessUnit *unit = i < units->len ? units->pdata[i] : NULL;
    if (batch != NULL && (unit == NULL || (access_unit_is_video (unit) && unit->is_key))) {
      assert_true (archive_write (track, g_steal_pointer (&batch), is_new, "stalled"));
      is_new = FALSE;
    }
    if (batch == NULL)
      batch = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
    if (unit != NULL)
      g_ptr_array_add (batch, copy_at (unit, zero_wall_us));
  }
  g_ptr_array_unref (batch);
  archive_track_free (track, "stalled");
  archive_flush (archive);
  archive_free (archive);
}

GPtrArray *recordings_with_large_keys (const GPtrArray *units, gsize bytes)
{
  GPtrArray *large = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
  for (guint i = 0; i < units->len; i++) {
    AccessUnit *unit = units->pdata[i];
    if (!access_unit_is_video (unit) || !unit->is_key) {
      g_ptr_array_add (large, access_unit_ref (unit));
      continue;
    }
    AccessUnit *copy = access_unit_new (unit->format, bytes);
    guint32 nal_bytes = GUINT32_TO_BE ((guint32) (bytes - 4));
    copy->is_key = TRUE;
    copy->pts = unit->pts;
    copy->dts = unit->dts;
    copy->duration = unit->duration;
    memset (copy->bytes, 0x5a, bytes);
    memcpy (copy->bytes, &nal_bytes, 4);
    copy->bytes[4] = 0x65;
    g_ptr_array_add (large, copy);
  }
  return large;
}

int recordings_set_up (void **state)
{
  (void) state;
  signal (SIGPIPE, SIG_IGN);
  sample = sample_stream_make ("libx264 -bf 2 -g 25 -keyint_min 25 -sc_threshold 0", SAMPLE_AAC, 8, recordings_start_us);
  recordings_units = sample_stream_units (sample);
  return 0;
}

int recordings_tear_down (void **state)
{
  (void) state;
  g_ptr_array_unref (recordings_units);
  sample_stream_free (sample);
  return 0;
}
