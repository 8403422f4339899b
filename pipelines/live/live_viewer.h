/* live_viewer.h: one browser on a WebSocket, after the handshake.
 *
 * Holds references to the frames it still has to send, never copies; what it may hold is bounded. It reads the client's
 * frames only to answer pings and to see it close.
 *
 * thread: the loop of its hub. */
#pragma once

#include "pipelines/rtp/loop.h"

enum {
  LIVE_BACKLOG_BYTES = 4 * 1024 * 1024,          /* beyond the group it was given when it joined */
  LIVE_BEHIND_US = 5 * G_USEC_PER_SEC,           /* what has waited longer is late for all time: skipped */
  LIVE_STUCK_US = 10 * G_USEC_PER_SEC,           /* without a byte taken: dropped */
};

typedef struct LiveViewer LiveViewer;

/* The client is gone; the owner frees the viewer. `reason` is static: "closed" "error" "protocol" "slow". */
typedef void (*LiveViewerGone) (LiveViewer *viewer, const char *reason, gpointer data);

/* Takes `socket_fd`, also on failure. `extra`: bytes that were read beyond the handshake. */
LiveViewer *live_viewer_new (Loop *loop, const char *id, int socket_fd, const guint8 *extra, gsize extra_size,
                             LiveViewerGone gone, gpointer data, GError **error);

/* Whole WebSocket frames: what a picture needs (`init`: text and init segment), then fragments from a key frame on. */
void live_viewer_push_init (LiveViewer *viewer, GBytes *text, GBytes *init);

/* `is_burst`: part of the kept group that a viewer starts with. A viewer that waits for a key frame takes none but such.
 * A fragment that is too much is not taken, and the viewer wants an init again: when it was a key frame, give it both. */
void live_viewer_push (LiveViewer *viewer, GBytes *fragment, gboolean is_key, gboolean is_burst);

/* Whether it needs the init segment before anything else: it is new or skipped. */
gboolean live_viewer_wants_init (const LiveViewer *viewer);

/* For playback, which is pulled: what the client says (`text` is good until it returns), and that all that waited is out.
 * Neither frees the viewer from inside. */
typedef struct {
  void (*said) (const char *text, gsize size, gpointer data);
  void (*drained) (gpointer data);
} LiveViewerListener;
void live_viewer_set_listener (LiveViewer *viewer, const LiveViewerListener *listener);

/* A whole WebSocket frame that must not be skipped: its owner minds live_viewer_waiting_bytes. */
void live_viewer_push_frame (LiveViewer *viewer, GBytes *frame);
gsize live_viewer_waiting_bytes (const LiveViewer *viewer);

/* Sends as much as the socket takes. May call `gone`. */
void live_viewer_flush (LiveViewer *viewer);

const char *live_viewer_id (const LiveViewer *viewer);
gint64 live_viewer_started_us (const LiveViewer *viewer); /* wall time */
guint64 live_viewer_sent_bytes (const LiveViewer *viewer);
guint live_viewer_skips (const LiveViewer *viewer);

/* Says close with `code` if the socket takes it, closes, and frees at the end of the loop's turn. NULL is taken. */
void live_viewer_free (LiveViewer *viewer, guint16 code);
