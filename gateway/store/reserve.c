#include "gateway/store/reserve.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "gateway/core/file.h"

enum { RESERVE_BYTES = 32 * 1024 * 1024, ROOM_FACTOR = 3 };

struct Reserve {
  char *data_dir, *path;
  gboolean is_set_aside;
};

Reserve *reserve_new (const char *data_dir)
{
  Reserve *reserve = g_new0 (Reserve, 1);
  reserve->data_dir = g_strdup (data_dir);
  reserve->path = g_build_filename (data_dir, "reserve", NULL);
  reserve_restore (reserve);
  return reserve;
}

gboolean reserve_release (Reserve *reserve)
{
  gboolean had_space = reserve->is_set_aside;
  reserve->is_set_aside = FALSE;
  g_unlink (reserve->path);
  return had_space;
}

void reserve_restore (Reserve *reserve)
{
  gint64 free_bytes, total_bytes;
  if (reserve->is_set_aside)
    return;
  int fd = open (reserve->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return;
  if (lseek (fd, 0, SEEK_END) >= RESERVE_BYTES)
    reserve->is_set_aside = TRUE; /* from an earlier run */
  else if (disk_free (reserve->data_dir, &free_bytes, &total_bytes)
           && free_bytes >= (gint64) ROOM_FACTOR * RESERVE_BYTES)
    reserve->is_set_aside = posix_fallocate (fd, 0, RESERVE_BYTES) == 0;
  close (fd);
  if (!reserve->is_set_aside)
    g_unlink (reserve->path);
}

gboolean reserve_is_set_aside (const Reserve *reserve)
{
  return reserve->is_set_aside;
}

void reserve_free (Reserve *reserve)
{
  if (reserve == NULL)
    return;
  g_free (reserve->path);
  g_free (reserve->data_dir);
  g_free (reserve);
}
