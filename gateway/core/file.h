/* file.h: the few things that we do to files, so that a power cut leaves the old or the new, never half.
 *
 * thread: any; these wait for the disk. */
#pragma once

#include <glib.h>

/* The first line of a secret file, without its end: at most 4096 bytes, not empty, no control characters. An error names
 * the file and what to do. Free with g_free. */
char *file_read_secret (const char *path, GError **error);

/* Writes beside, fsyncs, renames over, fsyncs the folder. */
gboolean file_replace (const char *path, const void *bytes, gsize size, int mode, GError **error);

/* Makes `path` and its parents (mode 0750). */
gboolean folder_make (const char *path, GError **error);

/* Removes `path` and all that is in it; follows no links. What can't be removed stays. */
void folder_remove (const char *path);

/* Makes names that were added to or removed from the folder durable. */
gboolean folder_sync (const char *path, GError **error);

/* Bytes free for us on the file system that holds `path`, and its size; FALSE when the system can't tell. */
gboolean disk_free (const char *path, gint64 *free_bytes, gint64 *total_bytes);
