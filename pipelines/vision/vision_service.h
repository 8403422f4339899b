/* vision_service.h: answers the link's picture requests: the main thread talks, one worker thread decodes.
 *
 * Requests wait in a bounded queue; a full one answers ERROR_RETRY.
 *
 * thread: the main thread. */
#pragma once

#include <glib.h>

typedef struct VisionService VisionService;

/* Listens on `runtime_dir`/vision.sock, from which requests come on the default main context. */
VisionService *vision_service_new (const char *runtime_dir, GError **error);

/* How long the worker has been busy with one picture; 0 when it isn't. A decoder that never returns shows here. */
gint64 vision_service_busy_us (VisionService *service);

/* Waits for the picture at work; those that wait are answered with ERROR_RETRY. NULL is taken. */
void vision_service_free (VisionService *service);
