/* camera_bench.h: a camera source on a loop of its own, in front of a scripted camera; its states and units as they come.
 *
 * thread: the test's. */
#pragma once

#include "pipelines/rtsp/camera_source.h"
#include "tests/unit/media/scripted_camera.h"

typedef struct {
  StreamTap tap; /* first */
  ScriptedCamera *camera;
  Loop *loop;
  Resolver *resolver;
  Stream *stream;
  CameraSource *source;
  CameraSettings settings;
  GAsyncQueue *states; /* "state reason" */
  GAsyncQueue *units;  /* "K" or "u" and the first frame's channel */
  gboolean has_tap;
} CameraBench;
int camera_bench_setup (void **state);
int camera_bench_teardown (void **state);

/* With `settings` as they are, but for the URL and the login. */
void camera_bench_start (CameraBench *bench, const CameraScript *script, const char *username, const char *password);

/* For loop_call: `data` is the bench. */
void camera_bench_open (gpointer data);
void camera_bench_add_tap (gpointer data);
void camera_bench_remove_tap (gpointer data);

/* What comes next out of a queue, within 20 s. */
void assert_next (GAsyncQueue *queue, const char *expected);

/* "connecting", then `state` with these words among its detail. */
void assert_failed (CameraBench *bench, const char *state, const char *words);

char *detail_of (CameraBench *bench); /* g_free */
