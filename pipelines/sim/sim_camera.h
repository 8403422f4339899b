/* sim_camera.h: one simulated camera: an RTSP server on a port of its own, and what can be made to go wrong with it.
 *
 * thread: the main thread. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

typedef struct SimCamera SimCamera;

typedef enum {
  CAMERA_FAULT_STALL, /* nothing more comes, connections stay */
  CAMERA_FAULT_BLACK,
  CAMERA_FAULT_FREEZE, /* the same picture again and again */
  CAMERA_FAULT_REFUSE, /* connections are ended and refused */
  CAMERA_FAULT_COUNT
} CameraFault;

/* Listens at once on 127.0.0.1; serves RTP over the connection and by UDP, or in TLS only. `script` outlives it; `font` may
 * be NULL. */
SimCamera *sim_camera_new (const CameraScript *script, const char *font, GError **error);

int sim_camera_port (const SimCamera *camera);

/* From now on, for `duration_us`, or until sim_camera_recover when it is 0. */
gboolean sim_camera_fail (SimCamera *camera, CameraFault fault, gint64 duration_us, GError **error);

/* Ends all connections; new ones are welcome. */
void sim_camera_drop (SimCamera *camera);

/* All RTP timestamps are `by_ms` further from now on. */
void sim_camera_jump_time (SimCamera *camera, int by_ms);

/* From the beginning of a picture's drawing to its first packet, on the average; 0: it plays a file, or nobody watches yet. */
int sim_camera_encoding_us (const SimCamera *camera);

void sim_camera_recover (SimCamera *camera);

void sim_camera_free (SimCamera *camera);
