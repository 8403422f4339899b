/* short_viewer.h: viewers for tests that come, see something, and go: over RTSP and over WebSocket, politely or by closing in
 * the middle. Sockets block, with a deadline, after which the test fails.
 *
 * thread: the test's. */
#pragma once

#include <glib.h>

typedef struct ShortViewer ShortViewer;

/* Over RTSP/TCP; returns when the first media came. `token` is of POST /api/v1/tokens. */
ShortViewer *short_viewer_join_rtsp (int port, const char *camera, const char *token);

/* Over the live WebSocket; returns when the first binary frame came. `secret` is a program's bearer secret. */
ShortViewer *short_viewer_join_websocket (int port, const char *camera, const char *secret);

typedef struct {
  guint packets, missing;     /* of the video; missing: by their sequence numbers */
  gint64 longest_silence_us;  /* between two packets */
} ShortViewerSeen;

/* Over RTSP: reads for so long and tells what came. */
ShortViewerSeen short_viewer_watch (ShortViewer *viewer, int seconds);

/* Says goodbye (TEARDOWN, a close frame) and waits for the answer, or for the end of the connection; frees it. */
void short_viewer_leave (ShortViewer *viewer);

/* Closes the socket, with whatever is unread in it; frees it. */
void short_viewer_vanish (ShortViewer *viewer);

/* Asks for the description alone, and closes. */
void short_viewer_only_ask (int port, const char *camera, const char *token);
