#include "pipelines/record/key_picture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/core/error.h"

int key_picture_seal (GBytes *bytes, GError **error)
{
  gsize size = bytes != NULL ? g_bytes_get_size (bytes) : 0;
  int fd = memfd_create ("key picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (size == 0) {
    error_set (error, ERROR_GIVE_UP, "the picture is broken");
  } else if (fd < 0 || write (fd, g_bytes_get_data (bytes, NULL), size) != (gssize) size
             || fcntl (fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    error_set_errno (error, errno, "a picture in memory");
  } else {
    return fd;
  }
  if (fd >= 0)
    close (fd);
  return -1;
}
