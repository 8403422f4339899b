/* short_viewer.h: viewers for tests that come, see something, and go: over RTSP and over WebSocket, politely or by closing in
 * the middle. Sockets block, with a deadline, after which the test fails.
 *
 * thread: the test's. */
#pragma once

#include <glib.h>

typedef struct ShortViewer ShortViewer;

/* Those who connect from now on let the kernel take no more than so many bytes for them (SO_RCVBUF), so that whoever sends
 * notices at once when they don't read. 0: as many as the system likes. */
void short_viewer_set_room (int bytes);

/* Over RTSP/TCP; returns when the first media came. `token` is of POST /api/v1/tokens. */
ShortViewer *short_viewer_join_rtsp (int port, const char *camera, const char *token);

/* The same over UDP. It sends no receiver reports. */
ShortViewer *short_viewer_join_udp (int port, const char *camera, const char *token);

/* Over the live WebSocket; returns when the first binary frame came. `secret` is a program's bearer secret. */
ShortViewer *short_viewer_join_websocket (int port, const char *camera, const char *secret);

/* For who expects to be refused: the status of SETUP, and of the WebSocket's handshake. Whoever is taken in leaves at once. */
int short_viewer_try_rtsp (int port, const char *camera, const char *token);
int short_viewer_try_websocket (int port, const char *camera, const char *secret);

/* The WebSocket of a recording: `query` as "from=…". */
ShortViewer *short_viewer_join_playback (int port, const char *camera, const char *query, const char *secret);

typedef struct {
  guint packets, missing;     /* of the video; missing: by their sequence numbers */
  gint64 longest_silence_us;  /* between two packets */
} ShortViewerSeen;

/* Over RTSP: reads for so long and tells what came. */
ShortViewerSeen short_viewer_watch (ShortViewer *viewer, int seconds);

/* Over RTSP/TCP: reads up to the first packet of the video before which others are missing, over SEI and access unit
 * delimiter, which may begin any picture; its NAL type (H.264; of a fragment: that of the whole; of an aggregate: that of the
 * first). */
guint8 short_viewer_read_to_gap (ShortViewer *viewer);

/* Reads what is left and waits for the other side to end the connection; frees it. FALSE: it is still there. */
gboolean short_viewer_is_ended (ShortViewer *viewer, int seconds);

/* Says goodbye (TEARDOWN, a close frame) and waits for the answer, or for the end of the connection; frees it. */
void short_viewer_leave (ShortViewer *viewer);

/* Closes the socket, with whatever is unread in it; frees it. */
void short_viewer_vanish (ShortViewer *viewer);

/* Asks for the description alone, and closes. */
void short_viewer_only_ask (int port, const char *camera, const char *token);
