/* browser_playback.h: one browser that watches a recording on a WebSocket, after the handshake.
 *
 * Sends what a live view sends (text with the type, init segment, fragments), paced by the recording's own times and the
 * speed, a few seconds ahead; and in text messages which wall time a media time is, what is missing, and the end. Media time
 * only grows: a seek goes on behind what was sent, with the type and the init segment again. A client that reads slowly just
 * watches slowly: the next batch is read from the disk when the last one is out.
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/playback/playback_feed.h"

typedef struct BrowserPlayback BrowserPlayback;

/* It is over; the owner frees it. `reason` is static: "closed" "error" "protocol" "slow" "idle" "broken". */
typedef void (*BrowserPlaybackEnded) (BrowserPlayback *playback, const char *reason, gpointer data);

typedef struct {
  FeedPool *pool;
  const char *data_dir, *viewer, *camera, *stream; /* copied */
  gint64 from_us, to_us;                           /* wall; to_us 0: as far as there is any */
  double speed;
} BrowserPlaybackSettings;

/* Takes `socket_fd`, also on failure. `extra`: bytes that were read beyond the handshake. */
BrowserPlayback *browser_playback_new (Loop *loop, const BrowserPlaybackSettings *settings, int socket_fd, const guint8 *extra,
                                       gsize extra_size, BrowserPlaybackEnded ended, gpointer data, GError **error);

const char *browser_playback_viewer (const BrowserPlayback *playback);
const char *browser_playback_camera (const BrowserPlayback *playback);
const char *browser_playback_stream (const BrowserPlayback *playback);
gint64 browser_playback_started_us (const BrowserPlayback *playback); /* wall */
guint64 browser_playback_sent_bytes (const BrowserPlayback *playback);
char *browser_playback_watched (const BrowserPlayback *playback); /* watched_text of what was sent; free with g_free */

/* Says close with `code`. NULL is taken. */
void browser_playback_free (BrowserPlayback *playback, guint16 code);
