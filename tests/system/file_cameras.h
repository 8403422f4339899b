/* file_cameras.h: a township with two cameras of GStreamer's own server over files of ffmpeg's, 25 pictures a second: h264 with
 * AAC and a login, h265 with G.711; and the clients that play them ten seconds.
 *
 * thread: the test's. */
#pragma once

#include "tests/support/township.h"

typedef struct {
  Township *township;
  Process *plain, *locked; /* two servers: one with a login */
} FileCameras;

/* Below the gateway's file of this name in tests/system/sites. */
FileCameras *file_cameras_new (const char *site);

/* For cmocka: the state is a FileCameras, of files.yaml. */
int file_cameras_setup (void **state);
int file_cameras_teardown (void **state);

/* The program must end with 0; what it said (g_free). `client_end` takes the process. */
char *client_end (Process *client, const char *name, int seconds);
char *client_run (Township *township, int seconds, const char *const *arguments);

/* `transport` is ffmpeg's -rtsp_transport. Several may play at the same time. */
Process *ffmpeg_start (Township *township, const char *url, const char *transport);

/* No error, no missing frame; takes the process. */
void ffmpeg_played (Process *player);

/* Both. */
void ffmpeg_plays (Township *township, const char *url, const char *transport);

/* Both cameras at the same time. */
void ffmpeg_plays_both (FileCameras *cameras, const char *transport);
void gstreamer_plays_both (FileCameras *cameras, const char *protocols);

/* `location` without a login; `protocols` are rtspsrc's. */
Process *gstreamer_start (Township *township, const char *location, const char *protocols, const char *depayloader);
void gstreamer_played (Process *player);
