#include "pipelines/rtp/picture_pace.h"

void picture_pace_begin (PicturePace *pace, gint64 now_us)
{
  if (pace->since_us == 0)
    pace->since_us = now_us;
}

static void note_whole (PicturePace *pace)
{
  if (picture_pace_is_spread (pace) && ++pace->whole == PACE_WHOLE)
    *pace = (PicturePace){ 0 };
}

void picture_pace_end (PicturePace *pace, gint64 now_us)
{
  if (pace->since_us == 0)
    return;
  if (now_us == pace->since_us)
    note_whole (pace); /* of one that isn't known to spread them it says nothing: a still picture is one packet */
  else if (now_us - pace->since_us >= PACE_SPREAD_LEAST_US)
    pace->spread = MIN (pace->spread + 1, PACE_LEARNED);
  else if (!picture_pace_is_spread (pace))
    pace->spread = 0;
  if (now_us != pace->since_us)
    pace->whole = 0;
  picture_pace_forget (pace);
}

void picture_pace_forget (PicturePace *pace)
{
  pace->since_us = 0;
}
