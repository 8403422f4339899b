/* stream.h: one camera's stream on its loop: what arrives once and leaves many times.
 *
 * A source (pipelines/rtsp/camera_source) publishes units into it; viewers and taps get them. The stream keeps the current
 * group of pictures, bounded in bytes, so that whoever joins starts at a key frame at once.
 *
 * A tap is somebody inside the process who reads the units: the access-unit assembler that recording, browsers and key
 * pictures share. A tap may add or remove taps and viewers from its callbacks.
 *
 * thread: the stream's loop. */
#pragma once

#include "pipelines/rtp/loop.h"
#include "pipelines/rtp/track.h"
#include "pipelines/rtp/unit.h"

typedef struct Stream Stream;
typedef struct StreamTap StreamTap;

/* Embed it; all three are called on the loop. `started` comes first, then units from a random access point on (the kept
 * group first, with their own times), then `ended` when the camera is gone or the tap is removed; after that `started`
 * may come again. */
struct StreamTap {
  void (*started) (StreamTap *tap, const TrackList *tracks);
  void (*unit) (StreamTap *tap, const Unit *unit); /* keep it with block_ref */
  void (*ended) (StreamTap *tap, const char *reason); /* a camera_state reason, "removed" for the tap's own removal */
  GList link;
};

/* A tap holds the stream wanted: an on-demand camera is pulled while there is one. */
void stream_add_tap (Stream *stream, StreamTap *tap);
void stream_remove_tap (Stream *stream, StreamTap *tap);

Loop *stream_loop (const Stream *stream);
const char *stream_camera (const Stream *stream); /* its camera's id */
const char *stream_name (const Stream *stream);   /* "main" or "sub" */
