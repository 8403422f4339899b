/* init_segment.h: the ftyp and moov that stand before fragments, by libavformat.
 *
 * thread: any. */
#pragma once

#include <libavformat/avformat.h>

#include "pipelines/live/access_unit.h"

enum { VIDEO_TRACK_ID = 1, AUDIO_TRACK_ID = 2 };

/* `audio` may be NULL. ERROR_GIVE_UP when libavformat refuses the parameter sets. */
GBytes *init_segment_new (const MediaFormat *video, const MediaFormat *audio, GError **error);

/* Adds a stream to `context` that describes `format`, parameter sets included; NULL when there is no memory. */
AVStream *init_segment_add_stream (AVFormatContext *context, const MediaFormat *format);
