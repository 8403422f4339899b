#include "gateway/core/memory.h"

#include <string.h>
#include <unistd.h>

/* G_MAXUINT64 when there is no such file, or no limit ("max"; version 1 writes a number near 2^63). */
static guint64 read_limit (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL), *text = NULL;
  guint64 limit;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return G_MAXUINT64;
  return g_ascii_string_to_unsigned (g_strstrip (text), 10, 1, G_MAXUINT64, &limit, NULL) ? limit : G_MAXUINT64;
}

/* Of the group at `path` below `root` and of all above it. */
static guint64 least_of_groups (const char *root, const char *path, const char *const *names)
{
  g_autofree char *group = g_strdup (path);
  guint64 least = G_MAXUINT64;
  for (;;) {
    g_autofree char *folder = g_build_filename (root, group, NULL);
    for (guint i = 0; names[i] != NULL; i++)
      least = MIN (least, read_limit (folder, names[i]));
    char *last = strrchr (group, '/');
    if (last == NULL)
      return least;
    *last = '\0';
  }
}

/* A line is `number:controllers:path` (cgroups(7)); version 2 names no controllers. */
static guint64 limit_of_line (const char *root, const char *line)
{
  static const char *const names_2[] = { "memory.max", "memory.high", NULL }, *const names_1[] = { "memory.limit_in_bytes", NULL };
  g_auto (GStrv) fields = g_strsplit (line, ":", 3);
  if (g_strv_length (fields) < 3)
    return G_MAXUINT64;
  if (*fields[1] == '\0')
    return least_of_groups (root, fields[2], names_2);
  g_auto (GStrv) controllers = g_strsplit (fields[1], ",", -1);
  g_autofree char *root_1 = g_build_filename (root, "memory", NULL);
  return g_strv_contains ((const char *const *) controllers, "memory") ? least_of_groups (root_1, fields[2], names_1) : G_MAXUINT64;
}

guint64 memory_limit_in (guint64 machine_bytes, const char *root, const char *membership)
{
  g_auto (GStrv) lines = g_strsplit (membership, "\n", -1);
  guint64 least = machine_bytes;
  for (guint i = 0; lines[i] != NULL; i++)
    least = MIN (least, limit_of_line (root, lines[i]));
  return least;
}

guint64 memory_limit_bytes (void)
{
  guint64 machine_bytes = (guint64) sysconf (_SC_PHYS_PAGES) * (guint64) sysconf (_SC_PAGESIZE);
  g_autofree char *membership = NULL;
  if (!g_file_get_contents ("/proc/self/cgroup", &membership, NULL, NULL))
    return machine_bytes;
  return memory_limit_in (machine_bytes, "/sys/fs/cgroup", membership);
}
