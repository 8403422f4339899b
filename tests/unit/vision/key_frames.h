/* key_frames.h: key access units that ffmpeg made, as a camera would send them. */
#pragma once

#include <glib.h>

/* One key access unit in Annex B; `encoder` is "libx264" or "libx265", `format` "h264" or "hevc". */
GBytes *key_frame_make (const char *folder, const char *encoder, const char *format, int width, int height);

/* The dimensions that a JPEG's frame header states; FALSE when `jpeg` is none. */
gboolean jpeg_dimensions (const guint8 *jpeg, gsize size, int *width, int *height);
