#include "gateway/core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "gateway/core/error.h"

enum { SECRET_MAX = 4096 };

char *file_read_secret (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    error_set_errno (error, errno, "cannot read the secret file %s", path);
    return NULL;
  }
  g_autofree char *text = g_malloc0 (SECRET_MAX + 2);
  gssize size = read (fd, text, SECRET_MAX + 1);
  int read_errno = errno;
  close (fd);
  if (size < 0) {
    error_set_errno (error, read_errno, "cannot read the secret file %s", path);
    return NULL;
  }
  text[strcspn (text, "\r\n")] = '\0';
  if (text[0] == '\0' || strlen (text) > SECRET_MAX) {
    error_set (error, ERROR_RECONFIGURE, "the secret file %s must hold the secret on its first line, 1 to %d bytes", path,
               SECRET_MAX);
    return NULL;
  }
  for (const char *c = text; *c; c++)
    if ((guchar) *c < ' ' || *c == 0x7f) {
      error_set (error, ERROR_RECONFIGURE, "the secret file %s holds a control character", path);
      return NULL;
    }
  return g_strdup (text);
}

static gboolean write_all (int fd, const void *bytes, gsize size)
{
  const char *next = bytes;
  while (size > 0) {
    gssize written = write (fd, next, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return FALSE;
    next += written;
    size -= (gsize) written;
  }
  return TRUE;
}

gboolean file_replace (const char *path, const void *bytes, gsize size, int mode, GError **error)
{
  g_autofree char *beside = g_strconcat (path, ".new", NULL);
  g_autofree char *folder = g_path_get_dirname (path);

  int fd = open (beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0)
    return error_set_errno (error, errno, "cannot write %s", beside);
  gboolean written = write_all (fd, bytes, size) && fsync (fd) == 0;
  int write_errno = errno;
  close (fd);
  if (!written || g_rename (beside, path) < 0) {
    if (written)
      write_errno = errno;
    g_unlink (beside);
    return error_set_errno (error, write_errno, "cannot write %s", path);
  }
  return folder_sync (folder, error);
}

gboolean folder_make (const char *path, GError **error)
{
  if (g_mkdir_with_parents (path, 0750) < 0)
    return error_set_errno (error, errno, "cannot make the folder %s", path);
  return TRUE;
}

static int remove_entry (const char *path, const struct stat *status, int type, struct FTW *walk)
{
  (void) status, (void) type, (void) walk;
  (void) remove (path);
  return 0;
}

void folder_remove (const char *path)
{
  nftw (path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

gboolean folder_sync (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return error_set_errno (error, errno, "cannot open the folder %s", path);
  int result = fsync (fd);
  int sync_errno = errno;
  close (fd);
  return result == 0 || error_set_errno (error, sync_errno, "cannot sync the folder %s", path);
}

gboolean disk_free (const char *path, gint64 *free_bytes, gint64 *total_bytes)
{
  struct statvfs status;
  if (statvfs (path, &status) < 0)
    return FALSE;
  *free_bytes = (gint64) status.f_bavail * (gint64) status.f_frsize;
  *total_bytes = (gint64) status.f_blocks * (gint64) status.f_frsize;
  return TRUE;
}
