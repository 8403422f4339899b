#include "tests/support/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/test.h"

void small_disk_prepare (void)
{
  if (unshare (CLONE_NEWNS) == 0)
    mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

gboolean small_disk_mount (const char *folder, int megabytes)
{
  g_autofree char *size = g_strdup_printf ("size=%dm", megabytes);
  if (mount ("tmpfs", folder, "tmpfs", 0, size) == 0)
    return TRUE;
  print_message ("skipped: this machine lets nobody mount (%s)\n", strerror (errno));
  return FALSE;
}

char *small_disk_fill (const char *folder, const char *name)
{
  static char block[1 << 16];
  g_autofree char *path = g_build_filename (folder, name, NULL);
  int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  gsize size = sizeof block;
  if (fd < 0)
    return NULL;
  while (size > 0)
    if (write (fd, block, size) < (gssize) size)
      size /= 2;
  close (fd);
  return g_steal_pointer (&path);
}

void small_disk_unmount (const char *folder)
{
  umount2 (folder, MNT_DETACH);
}

int small_disk_setup (void **state)
{
  small_disk_prepare ();
  return folder_setup (state);
}

int small_disk_teardown (void **state)
{
  small_disk_unmount (*state);
  return folder_teardown (state);
}
