/* recorded_sdp.h: the session description of a recording (RFC 4566; RFC 6184 8.2, RFC 7798 7.1, RFC 3640 4.1; RFC 2326 C.1.5).
 *
 * thread: any. */
#pragma once

#include "pipelines/live/access_unit.h"

enum { RECORDED_VIDEO_TYPE = 96, RECORDED_AUDIO_TYPE = 97, RECORDED_VIDEO_RATE = 90000 };

/* `audio` may be NULL; `to_us` -1: open. Track 0 is the video. Free with g_free. */
char *recorded_sdp (const char *camera, const MediaFormat *video, const MediaFormat *audio, gint64 from_us, gint64 to_us);
