#include "gateway/observe/observation_days.h"

#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"

#define PREFIX "observations-"
#define COMPACT "-compact.db"
#define COMPACTING ".compacting"

enum { NAME_DAY_BYTES = sizeof PREFIX - 1 + 8, DAYS_TRIED = 3660 };

static int compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static GPtrArray *list_all (const char *data_dir, const char *suffix)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (data_dir, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, PREFIX) && strlen (name) > NAME_DAY_BYTES && g_str_has_suffix (name, suffix))
      g_ptr_array_add (paths, g_build_filename (data_dir, name, NULL));
  g_ptr_array_sort (paths, compare_paths);
  return paths;
}

static const char *name_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash != NULL ? slash + 1 : path;
}

int observation_file_compare_days (const char *one, const char *other)
{
  return strncmp (name_of (one), name_of (other), NAME_DAY_BYTES);
}

gboolean observation_file_is_compact (const char *path)
{
  return g_str_has_suffix (path, COMPACT);
}

/* '-' sorts before '.': the compact file of a day comes first. */
static GPtrArray *list_files (const char *data_dir, gboolean are_superseded)
{
  g_autoptr (GPtrArray) all = list_all (data_dir, ".db");
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < all->len; i++) {
    gboolean is_superseded = i > 0 && observation_file_compare_days (all->pdata[i - 1], all->pdata[i]) == 0;
    if (is_superseded == are_superseded)
      g_ptr_array_add (paths, g_strdup (all->pdata[i]));
  }
  return paths;
}

GPtrArray *observation_files_list (const char *data_dir)
{
  return list_files (data_dir, FALSE);
}

GPtrArray *observation_files_superseded (const char *data_dir)
{
  return list_files (data_dir, TRUE);
}

void observation_file_remove (const char *path)
{
  static const char *const tails[] = { "", "-wal", "-shm" };
  for (guint i = 0; i < G_N_ELEMENTS (tails); i++) {
    g_autofree char *name = g_strconcat (path, tails[i], NULL);
    unlink (name);
  }
}

static char *beside (const char *path, const char *tail)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *name = g_strdup_printf ("%.*s%s", NAME_DAY_BYTES, name_of (path), tail);
  return g_build_filename (folder, name, NULL);
}

char *observation_written_path (const char *path)
{
  return beside (path, ".db");
}

char *observation_compact_path (const char *path)
{
  return beside (path, COMPACT);
}

char *observation_compacting_path (const char *path)
{
  return beside (path, COMPACTING);
}

/* Its -wal goes after it: who has begun to read while it is there has all of it. */
static gboolean is_whole (Database *database, const char *path)
{
  gint64 tables;
  return database != NULL && database_read_integer (database, &tables, "SELECT count (*) FROM sqlite_schema", NULL) && access (path, F_OK) == 0;
}

Database *observation_file_open (const char *path, GError **error)
{
  if (observation_file_is_compact (path))
    return database_open (path, DATABASE_READER, error);
  Database *database = database_open (path, DATABASE_READER, NULL);
  if (is_whole (database, path))
    return database;
  database_close (database);
  g_autofree char *compact = observation_compact_path (path);
  return database_open (access (path, F_OK) != 0 ? compact : path, DATABASE_READER, error);
}

gboolean observation_file_is_gone (const char *path)
{
  g_autofree char *compact = observation_compact_path (path);
  return access (path, F_OK) != 0 && access (compact, F_OK) != 0;
}

gboolean observation_file_read_last (const char *path, gint64 *last, GError **error)
{
  g_autoptr (Database) database = observation_file_open (path, error);
  return database != NULL
         && database_read_integer (database, last, observation_file_is_compact (path) ? "SELECT last FROM compacted"
                                                                                      : "SELECT max (number) FROM observations", error);
}

gint64 observation_file_last_number (const char *path)
{
  g_autoptr (GError) error = NULL;
  gint64 last = 0;
  if (observation_file_read_last (path, &last, &error))
    return last;
  log_error ("observations: %s can't be read: %s", path, error->message);
  return 0;
}

typedef struct {
  char *path;
  gint64 last;
} Numbered;

static int compare_numbered (gconstpointer a, gconstpointer b)
{
  const Numbered *one = a, *other = b;
  return one->last != other->last ? (one->last < other->last ? -1 : 1) : compare_paths (&one->path, &other->path);
}

GPtrArray *observation_files_by_number (const char *data_dir)
{
  g_autoptr (GPtrArray) paths = observation_files_list (data_dir);
  g_autoptr (GArray) files = g_array_new (FALSE, FALSE, sizeof (Numbered));
  GPtrArray *sorted = g_ptr_array_new_with_free_func (g_free);
  gint64 before = 0;
  for (guint i = 0; i < paths->len; i++) {
    gint64 last = observation_file_last_number (paths->pdata[i]);
    const Numbered file = { paths->pdata[i], before = last > 0 ? last : before };
    g_array_append_val (files, file);
  }
  g_array_sort (files, compare_numbered);
  for (guint i = 0; i < files->len; i++)
    g_ptr_array_add (sorted, g_strdup (g_array_index (files, Numbered, i).path));
  return sorted;
}

gboolean observation_file_may_have (const char *path, gint64 from_us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (from_us / G_USEC_PER_SEC - 86400);
  g_autofree char *first = time != NULL ? g_date_time_format (time, PREFIX "%Y%m%d") : NULL;
  return first == NULL || from_us <= 0 || observation_file_compare_days (path, first) >= 0;
}

static gboolean is_closed (const char *path)
{
  g_autofree char *compact = observation_compact_path (path), *compacting = observation_compacting_path (path);
  return access (compact, F_OK) == 0 || access (compacting, F_OK) == 0;
}

char *observation_day_path (const char *data_dir, gint64 wall_us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);
  for (guint day = 0; time != NULL && day < DAYS_TRIED; day++) {
    g_autoptr (GDateTime) then = g_date_time_add_days (time, (int) day);
    g_autofree char *name = then != NULL ? g_date_time_format (then, PREFIX "%Y%m%d.db") : NULL;
    g_autofree char *path = name != NULL ? g_build_filename (data_dir, name, NULL) : NULL;
    if (path != NULL && !is_closed (path))
      return g_steal_pointer (&path);
  }
  return NULL;
}

void observation_files_remove_half_made (const char *data_dir)
{
  g_autoptr (GPtrArray) paths = list_all (data_dir, COMPACTING);
  for (guint i = 0; i < paths->len; i++)
    unlink (paths->pdata[i]);
}
