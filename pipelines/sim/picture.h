/* picture.h: what a simulated camera sees: a still scene, two things that move, its name, the wall clock, and the same
 * clock as blocks that a program can read back from a decoded picture.
 *
 * The blocks stand in the top left corner, picture_block_size (width) pixels wide and high, black or white, 32 in a
 * row, most significant first: 24 bits of the wall clock's milliseconds, then 8 bits that check them.
 *
 * thread: a Picture belongs to the thread that paints. */
#pragma once

#include <glib.h>

enum { PICTURE_CLOCK_BITS = 24, PICTURE_CHECK_BITS = 8 };

typedef struct Picture Picture;

/* I420 planes and their strides. */
typedef struct {
  guint8 *planes[3];
  int strides[3];
} PicturePlanes;

/* `name` is burned in; colours follow from it. Without a font (see lettering.h) there is no text, but the blocks. */
Picture *picture_new (int width, int height, const char *name, const char *font);

/* The whole picture as it is at `wall_us`. */
void picture_paint (Picture *picture, const PicturePlanes *to, gint64 wall_us);

/* Black but for the blocks, which go on. */
void picture_paint_black (Picture *picture, const PicturePlanes *to, gint64 wall_us);

void picture_free (Picture *picture);

int picture_block_size (int width);

/* Reads the blocks. FALSE when their check fails. `near_us` is within two hours of when the picture was painted. */
gboolean picture_read_clock (const guint8 *luma, int stride, int width, int height, gint64 near_us, gint64 *wall_us);
