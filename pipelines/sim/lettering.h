/* lettering.h: text as coverage masks, to be burned into a picture's luma plane.
 *
 * thread: a Lettering belongs to one thread; a mask is immutable. */
#pragma once

#include <glib.h>

typedef struct Lettering Lettering;

typedef struct {
  int width, height;
  guint8 *coverage; /* width * height, 0 … 255 */
} LetterMask;

/* `font`: a TrueType file; NULL: the first that Debian has of WenQuanYi Micro Hei and DejaVu Sans. */
Lettering *lettering_new (const char *font, int pixel_height, GError **error);

/* One line of UTF-8. Characters that the font lacks are left out. */
LetterMask *lettering_render (Lettering *lettering, const char *text);

void lettering_free (Lettering *lettering);

/* White where the mask covers; cut at the edges of the plane. */
void letter_mask_draw (const LetterMask *mask, guint8 *luma, int stride, int width, int height, int x, int y);

void letter_mask_free (LetterMask *mask);
