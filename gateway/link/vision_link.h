/* vision_link.h: gridgate's side of the link to gridgate-vision, which turns a key access unit into a JPEG.
 *
 * thread: made and freed on the main thread. */
#pragma once

#include "gateway/link/link_endpoint.h"

typedef struct VisionLink VisionLink;

typedef struct {
  int width, height;
  gint64 bytes;
  char sha256[65];
} VisionPicture;

VisionLink *vision_link_new (const char *runtime_dir);

/* thread: any but main; waits. Takes `access_unit_fd` (from media_link_picture); writes the JPEG to `file_fd`, which stays
 * the caller's. `max_width` 0: as it is. */
gboolean vision_link_encode (VisionLink *link, int access_unit_fd, const char *codec, int max_width, int file_fd,
                             VisionPicture *picture, GError **error);

gboolean vision_link_is_connected (VisionLink *link); /* thread: any */

/* thread: any. The worker's process id; 0 while it is away. */
int vision_link_pid (VisionLink *link);

void vision_link_free (VisionLink *link);
