#include "pipelines/rtsp/directory.h"

struct Directory {
  GMutex mutex;
  GHashTable *entries; /* "camera/stream" → DirectoryEntry */
};

Directory *directory_new (void)
{
  Directory *directory = g_new0 (Directory, 1);
  g_mutex_init (&directory->mutex);
  directory->entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return directory;
}

static char *key_of (const char *camera, const char *stream)
{
  return g_strconcat (camera, "/", stream, NULL);
}

void directory_put (Directory *directory, const DirectoryEntry *entry)
{
  char *key = key_of (stream_camera (entry->stream), stream_name (entry->stream));
  g_mutex_lock (&directory->mutex);
  g_hash_table_replace (directory->entries, key, g_memdup2 (entry, sizeof *entry));
  g_mutex_unlock (&directory->mutex);
}

void directory_remove (Directory *directory, Stream *stream)
{
  g_autofree char *key = key_of (stream_camera (stream), stream_name (stream));
  g_mutex_lock (&directory->mutex);
  g_hash_table_remove (directory->entries, key);
  g_mutex_unlock (&directory->mutex);
}

static gboolean look_up (Directory *directory, const char *camera, const char *stream, DirectoryEntry *entry)
{
  g_autofree char *key = key_of (camera, stream);
  g_mutex_lock (&directory->mutex);
  const DirectoryEntry *found = g_hash_table_lookup (directory->entries, key);
  if (found != NULL)
    *entry = *found;
  g_mutex_unlock (&directory->mutex);
  return found != NULL;
}

Loop *directory_loop (Directory *directory, const char *camera, const char *stream)
{
  DirectoryEntry entry;
  return look_up (directory, camera, stream, &entry) ? entry.loop : NULL;
}

gboolean directory_find (Directory *directory, Loop *loop, const char *camera, const char *stream, DirectoryEntry *entry)
{
  return look_up (directory, camera, stream, entry) && entry->loop == loop;
}

void directory_free (Directory *directory)
{
  if (directory == NULL)
    return;
  g_hash_table_unref (directory->entries);
  g_mutex_clear (&directory->mutex);
  g_free (directory);
}
