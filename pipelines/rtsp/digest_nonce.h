/* digest_nonce.h: the nonce that a server gave to one connection: what may be answered to it, and for how long.
 *
 * An answer with qop counts up (nc) and is taken once; one without (RFC 2069: ffmpeg, GStreamer) may come again, on the same
 * connection and while the nonce is fresh, since no other connection has this nonce.
 *
 * thread: the connection's. */
#pragma once

#include "pipelines/rtsp/digest.h"

enum { DIGEST_NONCE_DIGITS = 32 };
#define DIGEST_NONCE_LIFE_US (5 * G_TIME_SPAN_MINUTE)

typedef struct {
  char text[DIGEST_NONCE_DIGITS + 1];
  gint64 made_us;  /* monotonic */
  guint32 counted; /* the highest nc that was taken */
} DigestNonce;

/* A new one in its place. */
void digest_nonce_renew (DigestNonce *nonce, gint64 now_us);

/* FALSE: the answer is to another nonce, too late, or a repetition; the client may answer a new challenge (stale=true). */
gboolean digest_nonce_takes (DigestNonce *nonce, const DigestAnswer *answer, gint64 now_us);
