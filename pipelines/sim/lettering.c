#include "pipelines/sim/lettering.h"

#include <ft2build.h>
#include <string.h>
#include FT_FREETYPE_H

#include "gateway/core/error.h"

enum { TEXT_WIDTH_MAX = 4096, WHITE = 235 };

struct Lettering {
  FT_Library library;
  FT_Face face;
  int height;
};

static const char *const usual_fonts[] = {
  "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
  "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
};

static gboolean open_face (Lettering *lettering, const char *font)
{
  if (font != NULL)
    return FT_New_Face (lettering->library, font, 0, &lettering->face) == 0;
  for (gsize i = 0; i < G_N_ELEMENTS (usual_fonts); i++)
    if (FT_New_Face (lettering->library, usual_fonts[i], 0, &lettering->face) == 0)
      return TRUE;
  return FALSE;
}

Lettering *lettering_new (const char *font, int pixel_height, GError **error)
{
  Lettering *lettering = g_new0 (Lettering, 1);
  lettering->height = pixel_height;
  if (FT_Init_FreeType (&lettering->library) != 0 || !open_face (lettering, font)
      || FT_Set_Pixel_Sizes (lettering->face, 0, (guint) pixel_height) != 0) {
    error_set (error, ERROR_RECONFIGURE, "no font at %s: install fonts-wqy-microhei or name one with “font”",
               font ? font : usual_fonts[0]);
    g_clear_pointer (&lettering, lettering_free);
  }
  return lettering;
}

/* Copies the glyph in the slot to `mask` with the pen at `x`. */
static void put_glyph (const Lettering *lettering, LetterMask *mask, int x)
{
  FT_GlyphSlot glyph = lettering->face->glyph;
  int top = lettering->height - glyph->bitmap_top;
  for (int row = 0; row < (int) glyph->bitmap.rows; row++)
    for (int column = 0; column < (int) glyph->bitmap.width; column++) {
      int to_x = x + glyph->bitmap_left + column, to_y = top + row;
      if (to_x >= 0 && to_x < mask->width && to_y >= 0 && to_y < mask->height)
        mask->coverage[to_y * mask->width + to_x] = glyph->bitmap.buffer[row * glyph->bitmap.pitch + column];
    }
}

LetterMask *lettering_render (Lettering *lettering, const char *text)
{
  LetterMask *mask = g_new0 (LetterMask, 1);
  int x = 0;
  mask->width = (int) MIN ((glong) TEXT_WIDTH_MAX, (g_utf8_strlen (text, -1) + 1) * lettering->height);
  mask->height = lettering->height + lettering->height / 3; /* room for what hangs below the base line */
  mask->coverage = g_malloc0 ((gsize) mask->width * (gsize) mask->height);
  for (const char *c = text; *c; c = g_utf8_next_char (c)) {
    if (FT_Load_Char (lettering->face, g_utf8_get_char (c), FT_LOAD_RENDER) != 0)
      continue;
    put_glyph (lettering, mask, x);
    x += (int) (lettering->face->glyph->advance.x >> 6);
  }

  int width = CLAMP (x, 1, mask->width); /* close up to what was drawn */
  for (int row = 1; row < mask->height; row++)
    memmove (mask->coverage + row * width, mask->coverage + row * mask->width, (gsize) width);
  mask->width = width;
  return mask;
}

void lettering_free (Lettering *lettering)
{
  if (lettering == NULL)
    return;
  if (lettering->face)
    FT_Done_Face (lettering->face);
  if (lettering->library)
    FT_Done_FreeType (lettering->library);
  g_free (lettering);
}

void letter_mask_draw (const LetterMask *mask, guint8 *luma, int stride, int width, int height, int x, int y)
{
  for (int row = 0; row < mask->height && y + row < height; row++)
    for (int column = 0; column < mask->width && x + column < width; column++) {
      guint cover = mask->coverage[row * mask->width + column];
      guint8 *pixel = luma + (y + row) * stride + x + column;
      *pixel = (guint8) ((*pixel * (255 - cover) + WHITE * cover) / 255);
    }
}

void letter_mask_free (LetterMask *mask)
{
  if (mask)
    g_free (mask->coverage);
  g_free (mask);
}
