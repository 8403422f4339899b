/* sound_note.h: what becomes of a camera's sound in recordings and browsers. Over RTSP it passes untouched always.
 *
 * thread: any. */
#pragma once

#include "pipelines/rtp/track.h"

/* NULL: carried as it is; "becomes_aac"; "not_carried". Static. */
const char *sound_note (const Track *track);

/* Its name for people and programs: codec_name, or what the camera calls one that isn't known. Free with g_free. */
char *sound_name (const Track *track);
