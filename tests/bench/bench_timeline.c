/* bench_timeline: how long the timeline of a month of one camera takes: 43,200 files of a minute in the index, and a gap a day,
 * beside nine other cameras. Opening the index is in the time, as it is for a request. The floor is one walk over the same
 * rows of the database that only counts them.
 *
 *   bench_timeline [GAPS]      30 if not given */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/record/recordings_index.h"
#include "tests/support/folder.h"

enum { CAMERAS = 10, MINUTES = 30 * 24 * 60, RUNS = 21, GAPS = 30 };

static const gint64 minute_us = G_TIME_SPAN_MINUTE;
static const gint64 start_us = G_GINT64_CONSTANT (1777622400000000); /* 2026-05-01T08:00:00Z */

static void fill (const char *folder, guint gaps)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_WRITER, NULL);
  guint every = MINUTES / MAX (gaps, 1);
  recordings_index_begin (index, NULL);
  for (guint minute = 0; minute < MINUTES; minute++)
    for (guint camera = 0; camera < CAMERAS; camera++) {
      char name[16], file[64];
      gint64 from_us = start_us + minute * minute_us;
      gboolean is_gap = minute % every == every - 1;
      g_snprintf (name, sizeof name, "camera-%u", camera);
      g_snprintf (file, sizeof file, "recordings/%s/main/%u.mp4", name, minute);
      gint64 to_us = from_us + (is_gap ? minute_us / 2 : minute_us);
      SegmentRow row = { 0, from_us, to_us, 15000000, name, (char *) "main", file };
      recordings_index_put (index, &row, "h264,aac", FALSE, NULL);
      if (is_gap)
        recordings_index_add_gap (index, name, "main", to_us, from_us + minute_us, "stalled", NULL);
    }
  recordings_index_commit (index, NULL);
}

/* As the media process and the gateway do: page after page. */
static guint list (const char *folder)
{
  gint64 from_us = start_us, to_us = start_us + MINUTES * minute_us;
  guint entries = 0;
  while (from_us < to_us) {
    g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
    json_t *page = recordings_index_list (index, "camera-3", "main", from_us, to_us, to_us, NULL);
    gint64 next_us = json_integer_value (json_object_get (page, "next"));
    entries += json_array_size (json_object_get (page, "spans")) + json_array_size (json_object_get (page, "gaps"));
    char *text = json_dumps (page, JSON_COMPACT);
    free (text);
    json_decref (page);
    from_us = next_us > from_us ? next_us : to_us;
  }
  return entries;
}

static gint64 count (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "recordings.db", NULL);
  g_autoptr (Database) database = database_open (path, DATABASE_READER, NULL);
  return database_integer (database, 0,
                           "SELECT count(*) FROM segments WHERE camera = 'camera-3' AND stream = 'main' AND from_us > 0", "");
}

static int compare (gconstpointer a, gconstpointer b)
{
  gint64 one = *(const gint64 *) a, other = *(const gint64 *) b;
  return one < other ? -1 : one > other;
}

int main (int argument_count, char **arguments)
{
  guint gaps = argument_count > 1 ? (guint) CLAMP (atoi (arguments[1]), 1, MINUTES) : GAPS;
  char *folder = folder_make_temporary ();
  gint64 took_us[RUNS], floor_us[RUNS];
  guint entries = 0;
  fill (folder, gaps);
  for (guint run = 0; run < RUNS; run++) {
    gint64 at_us = g_get_monotonic_time ();
    entries = list (folder);
    took_us[run] = g_get_monotonic_time () - at_us;
    at_us = g_get_monotonic_time ();
    if (count (folder) != MINUTES)
      return EXIT_FAILURE;
    floor_us[run] = g_get_monotonic_time () - at_us;
  }
  qsort (took_us, RUNS, sizeof took_us[0], compare);
  qsort (floor_us, RUNS, sizeof floor_us[0], compare);
  double median_ms = (double) took_us[RUNS / 2] / 1000, floor_ms = (double) floor_us[RUNS / 2] / 1000;
  printf ("timeline: a month of one camera, %d files, %u gaps: %u entries\n", MINUTES, gaps, entries);
  printf ("  median %.1f ms (goal 50), slowest %.1f ms, counting alone %.1f ms, ratio %.1f\n", median_ms,
          (double) took_us[RUNS - 1] / 1000, floor_ms, median_ms / floor_ms);
  printf ("{\"bench\":\"timeline\",\"files\":%d,\"gaps\":%u,\"median_ms\":%.2f,\"floor_ms\":%.2f}\n", MINUTES, gaps, median_ms,
          floor_ms);
  folder_drop (folder);
  return EXIT_SUCCESS;
}
