/* camera_media.h: the GStreamer side of a simulated camera: a media factory whose pipelines draw, encode and payload.
 *
 * thread: made and freed on the main thread; GStreamer calls it on its own. */
#pragma once

#include <gst/rtsp-server/rtsp-server.h>

#include "pipelines/sim/camera_faults.h"
#include "pipelines/sim/site_script.h"

/* A shared factory for one stream of `camera`, which outlives it; `font` may be NULL. With a login, only the role
 * "viewer" may play. An error when the stream's file can't be played. */
GstRTSPMediaFactory *camera_media_factory_new (const CameraScript *camera, const StreamScript *stream, const char *font,
                                               CameraFaults *faults, GError **error);
