#include "pipelines/sim/picture.h"

#include <string.h>

#include "gateway/core/log.h"
#include "pipelines/sim/lettering.h"

enum { BLACK = 16, WHITE = 235, BLOCKS = PICTURE_CLOCK_BITS + PICTURE_CHECK_BITS, CLOCK_CHARACTERS = 128 };

struct Picture {
  int width, height;
  guint8 *scene; /* I420, without padding */
  LetterMask *clock_letters[CLOCK_CHARACTERS];
  gint64 clock_second;
  char clock_text[32]; /* up to the second */
};

int picture_block_size (int width)
{
  return MAX (width / 80, 1) * 2;
}

static void fill (guint8 *plane, int stride, int plane_width, int plane_height, int x, int y, int width, int height,
                  guint8 value)
{
  int right = MIN (x + width, plane_width), bottom = MIN (y + height, plane_height);
  x = MAX (x, 0);
  for (int row = MAX (y, 0); row < bottom && x < right; row++)
    memset (plane + row * stride + x, value, (gsize) (right - x));
}

/* A rectangle in all three planes. */
static void fill_colour (const Picture *picture, const PicturePlanes *to, int x, int y, int width, int height,
                         const guint8 colour[3])
{
  for (int plane = 0; plane < 3; plane++) {
    int half = plane == 0 ? 0 : 1;
    fill (to->planes[plane], to->strides[plane], picture->width >> half, picture->height >> half, x >> half, y >> half,
          width >> half, height >> half, colour[plane]);
  }
}

static PicturePlanes scene_planes (const Picture *picture)
{
  gsize luma = (gsize) picture->width * (gsize) picture->height;
  return (PicturePlanes){ { picture->scene, picture->scene + luma, picture->scene + luma + luma / 4 },
                          { picture->width, picture->width / 2, picture->width / 2 } };
}

/* Sky above, land below, some houses, and dark ground for the letters. */
static void paint_scene (Picture *picture, guint colour)
{
  PicturePlanes scene = scene_planes (picture);
  int width = picture->width, height = picture->height, letters = height / 9;
  for (int row = 0; row < height; row += 2) {
    gboolean is_sky = row < height / 2;
    guint8 shade[3] = { (guint8) (is_sky ? 190 - 80 * row / height : 130 - 60 * row / height),
                        (guint8) (is_sky ? 145 + colour % 8 : 110 + colour % 16),
                        (guint8) (is_sky ? 115 : 110 + colour / 16 % 16) };
    fill_colour (picture, &scene, 0, row, width, 2, shade);
  }
  for (int house = 0; house < 6; house++) {
    guint8 wall[3]
        = { (guint8) (90 + 20 * ((colour >> house) % 4)), 120, (guint8) (128 + (colour >> (2 * house)) % 24) };
    int tall = height / 10 + (int) ((colour >> (3 * house)) % 4) * height / 32;
    fill_colour (picture, &scene, house * width / 6 + width / 40, height * 6 / 10 - tall, width / 9, tall, wall);
  }
  const guint8 dark[3] = { 30, 128, 128 };
  fill_colour (picture, &scene, 0, 0, width, (picture_block_size (width) + letters + 3) & ~1, dark);
  fill_colour (picture, &scene, 0, height - letters, width, letters + 2, dark);
}

static void burn_name (Picture *picture, const char *name, const char *font)
{
  g_autoptr (GError) error = NULL;
  int letter_height = picture->height / 14;
  Lettering *lettering = lettering_new (font, letter_height, &error);
  if (lettering == NULL) {
    log_warning ("%s", error->message);
    return;
  }
  LetterMask *mask = lettering_render (lettering, name);
  letter_mask_draw (mask, picture->scene, picture->width, picture->width, picture->height, letter_height / 2,
                    picture_block_size (picture->width) + 2);
  letter_mask_free (mask);
  for (const char *c = "0123456789-:. "; *c; c++)
    picture->clock_letters[(guchar) *c] = lettering_render (lettering, (char[2]){ *c, '\0' });
  lettering_free (lettering);
}

Picture *picture_new (int width, int height, const char *name, const char *font)
{
  Picture *picture = g_new0 (Picture, 1);
  picture->width = width;
  picture->height = height;
  picture->scene = g_malloc ((gsize) width * (gsize) height * 3 / 2);
  paint_scene (picture, g_str_hash (name));
  burn_name (picture, name, font);
  return picture;
}

static guint clock_bits (gint64 wall_us)
{
  guint milliseconds = (guint) (wall_us / 1000) & 0xffffff;
  guint check = (milliseconds ^ (milliseconds >> 8) ^ (milliseconds >> 16) ^ 0x5a) & 0xff;
  return milliseconds << PICTURE_CHECK_BITS | check;
}

static void paint_blocks (const Picture *picture, const PicturePlanes *to, gint64 wall_us)
{
  int size = picture_block_size (picture->width);
  guint bits = clock_bits (wall_us);
  for (int i = 0; i < BLOCKS; i++)
    fill (to->planes[0], to->strides[0], picture->width, picture->height, i * size, 0, size, size,
          bits >> (BLOCKS - 1 - i) & 1 ? WHITE : BLACK);
}

static void paint_clock (Picture *picture, const PicturePlanes *to, gint64 wall_us)
{
  gint64 second = wall_us / G_USEC_PER_SEC;
  if (second != picture->clock_second) {
    g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (second);
    g_autofree char *text = g_date_time_format (time, "%Y-%m-%d %H:%M:%S");
    g_strlcpy (picture->clock_text, text, sizeof picture->clock_text);
    picture->clock_second = second;
  }
  g_autofree char *text = g_strdup_printf ("%s.%03d", picture->clock_text, (int) (wall_us / 1000 % 1000));
  int x = picture->height / 28, y = picture->height - picture->height / 10;
  for (const char *c = text; *c; c++) {
    const LetterMask *mask = picture->clock_letters[(guchar) *c % CLOCK_CHARACTERS];
    if (mask == NULL)
      continue;
    letter_mask_draw (mask, to->planes[0], to->strides[0], picture->width, picture->height, x, y);
    x += mask->width;
  }
}

/* A car along the road, a lamp up and down. */
static void paint_movement (const Picture *picture, const PicturePlanes *to, gint64 wall_us)
{
  const guint8 car[3] = { 80, 100, 190 }, lamp[3] = { 220, 60, 140 };
  int width = picture->width, height = picture->height, milliseconds = (int) (wall_us / 1000 % 8000);
  int swing = milliseconds % 4000 < 2000 ? milliseconds % 2000 : 2000 - milliseconds % 2000;
  fill_colour (picture, to, milliseconds * (width + width / 8) / 8000 - width / 8, height * 7 / 10, width / 8,
               height / 12, car);
  fill_colour (picture, to, width * 9 / 10, height / 4 + swing * (height / 4) / 2000, width / 24, width / 24, lamp);
}

void picture_paint (Picture *picture, const PicturePlanes *to, gint64 wall_us)
{
  PicturePlanes scene = scene_planes (picture);
  for (int plane = 0; plane < 3; plane++)
    for (int row = 0; row < (plane ? picture->height / 2 : picture->height); row++)
      memcpy (to->planes[plane] + row * to->strides[plane], scene.planes[plane] + row * scene.strides[plane],
              (gsize) scene.strides[plane]);
  paint_movement (picture, to, wall_us);
  paint_clock (picture, to, wall_us);
  paint_blocks (picture, to, wall_us);
}

void picture_paint_black (Picture *picture, const PicturePlanes *to, gint64 wall_us)
{
  const guint8 black[3] = { BLACK, 128, 128 };
  fill_colour (picture, to, 0, 0, picture->width, picture->height, black);
  paint_blocks (picture, to, wall_us);
}

void picture_free (Picture *picture)
{
  if (picture == NULL)
    return;
  for (int i = 0; i < CLOCK_CHARACTERS; i++)
    letter_mask_free (picture->clock_letters[i]);
  g_free (picture->scene);
  g_free (picture);
}

gboolean picture_read_clock (const guint8 *luma, int stride, int width, int height, gint64 near_us, gint64 *wall_us)
{
  int size = picture_block_size (width);
  guint bits = 0;
  if (width < BLOCKS * size || height < size)
    return FALSE;
  for (int i = 0; i < BLOCKS; i++)
    bits = bits << 1 | (luma[(size / 2) * stride + i * size + size / 2] > 127);

  gint64 near_ms = near_us / 1000, period = 1 << PICTURE_CLOCK_BITS;
  gint64 milliseconds = (near_ms & ~(period - 1)) + (bits >> PICTURE_CHECK_BITS);
  if (milliseconds > near_ms + period / 2)
    milliseconds -= period;
  else if (milliseconds < near_ms - period / 2)
    milliseconds += period;
  *wall_us = milliseconds * 1000;
  return clock_bits (*wall_us) == bits;
}
