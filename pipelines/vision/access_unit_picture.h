/* access_unit_picture.h: one key access unit of a camera becomes a JPEG.
 *
 * The bytes come from a camera, so they may be anything: size, codec and picture dimensions are bounded before a
 * decoder sees them, and a unit that does not decode without damage is refused.
 *
 * thread: any; nothing is shared. */
#pragma once

#include <glib.h>

enum {
  ACCESS_UNIT_MAX_BYTES = 8 * 1024 * 1024,
  PICTURE_MAX_DIMENSION = 8192,
  PICTURE_MIN_DIMENSION = 16,
};

typedef struct {
  int width, height;
  GBytes *jpeg;
} EncodedPicture;

/* `codec` is "h264" or "h265"; `bytes` is Annex B with its parameter sets. A picture wider than `max_width` (0: any) is
 * made smaller, in its proportions. ERROR_REFUSE when the unit is no whole picture, ERROR_GIVE_UP when it is over a
 * limit or the codec is unknown. Free with encoded_picture_clear. */
gboolean access_unit_to_jpeg (const guint8 *bytes, gsize size, const char *codec, int max_width,
                              EncodedPicture *picture, GError **error);

void encoded_picture_clear (EncodedPicture *picture);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EncodedPicture, encoded_picture_clear)
