#include "pipelines/record/recorded_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/core/log.h"
#include "pipelines/record/segment_walk.h"

void found_file_free (gpointer data)
{
  FoundFile *found = data;
  segment_row_free (found->row);
  g_free (found->tracks);
  g_free (found);
}

static void day_folder_free (gpointer data)
{
  g_free (((DayFolder *) data)->path);
  g_free (data);
}

static gint compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

GPtrArray *recorded_names (const char *data_dir, const char *relative)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *path = g_build_filename (data_dir, relative, NULL);
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}

static void add_days (GPtrArray *days, const char *data_dir, const char *stream_path)
{
  g_autoptr (GPtrArray) names = recorded_names (data_dir, stream_path);
  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    if (strlen (name) != 8 || strspn (name, "0123456789") != 8)
      continue;
    DayFolder *day = g_new0 (DayFolder, 1);
    day->path = g_build_filename (stream_path, name, NULL);
    g_strlcpy (day->day, name, sizeof day->day);
    g_ptr_array_add (days, day);
  }
}

static gint compare_days (gconstpointer a, gconstpointer b)
{
  const DayFolder *one = *(DayFolder *const *) a, *other = *(DayFolder *const *) b;
  int order = strcmp (one->day, other->day);
  return order != 0 ? order : strcmp (one->path, other->path);
}

GPtrArray *recorded_days (const char *data_dir)
{
  GPtrArray *days = g_ptr_array_new_with_free_func (day_folder_free);
  static const char *const streams[] = { "main", "sub" };
  g_autoptr (GPtrArray) cameras = recorded_names (data_dir, "recordings");
  for (guint i = 0; i < cameras->len; i++)
    for (guint stream = 0; stream < G_N_ELEMENTS (streams); stream++) {
      g_autofree char *path = g_build_filename ("recordings", cameras->pdata[i], streams[stream], NULL);
      add_days (days, data_dir, path);
    }
  g_ptr_array_sort (days, compare_days);
  return days;
}

FoundFile *found_file_look (const char *data_dir, const char *relative, const SegmentName *name)
{
  SegmentFacts facts = { 0 };
  struct stat status = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (data_dir, relative, NULL);
  if (!segment_walk_file (path, FALSE, &facts, &error) || lstat (path, &status) != 0) {
    log_limited (LOG_LEVEL_WARNING, "recordings: %s", error != NULL ? error->message : g_strerror (errno));
    return NULL;
  }
  FoundFile *found = g_new0 (FoundFile, 1);
  found->row = g_new0 (SegmentRow, 1);
  *found->row = (SegmentRow){ 0, name->wall_us, name->wall_us + facts.duration_us, facts.fragments > 0 ? facts.good_bytes : 0,
                              g_strdup (name->camera), g_strdup (name->stream), g_strdup (relative) };
  found->tracks = g_strconcat (facts.is_h265 ? "h265" : "h264", facts.has_audio ? ",aac" : "", NULL);
  found->file_bytes = status.st_size;
  return found;
}
