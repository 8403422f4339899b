/* picture_pace.h: whether a camera writes each picture at once or spreads it over time.
 *
 * One that spreads pictures over 20 ms wakes the loop for each packet, as long as it is read as soon as something comes; there
 * is little to gain by that, for nobody can show a picture before its end. So once a dozen pictures in a row have shown that
 * it does, it is read at the loop's ticks, until three pictures in a row come whole.
 *
 * thread: the loop's. */
#pragma once

#include <glib.h>

enum {
  PACE_SPREAD_LEAST_US = 10 * 1000, /* longer than a tick: such a picture is seldom whole in one read, whenever it is read */
  PACE_LEARNED = 12,
  PACE_WHOLE = 3,
};

typedef struct {
  gint64 since_us; /* when the first packet of the picture was read; 0: none is under way */
  guint spread;    /* pictures in a row that took long, up to PACE_LEARNED */
  guint whole;     /* of one that spreads them: in a row that came in one read */
} PicturePace;

/* A packet of a picture; the first one begins it. */
void picture_pace_begin (PicturePace *pace, gint64 now_us);

/* Its marker. */
void picture_pace_end (PicturePace *pace, gint64 now_us);

/* It ended in another way, which says nothing about when. */
void picture_pace_forget (PicturePace *pace);

static inline gboolean picture_pace_is_spread (const PicturePace *pace)
{
  return pace->spread == PACE_LEARNED;
}
