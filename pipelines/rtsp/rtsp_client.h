/* rtsp_client.h: one connection to a camera: from its name to PLAY, and kept alive until it ends.
 *
 * OPTIONS, DESCRIBE, SETUP of each track, PLAY (RFC 2326), plain or in TLS; RTP comes interleaved in the connection, or by
 * UDP. It reads through the receiver, so that packets may come between, and before, answers. It follows redirects, and
 * falls back from UDP to the connection where the camera wants that. It fails once, with a reason for machines and a detail
 * for people.
 *
 * thread: the loop. */
#pragma once

#include "pipelines/rtp/receiver.h"
#include "pipelines/rtsp/resolver.h"

typedef struct RtspClient RtspClient;

typedef struct {
  const char *name;                  /* "camera bridge": for the log */
  const char *url;                   /* rtsp:// or rtsps:// */
  const char *username, *password;   /* NULL: none */
  const char *ca_file, *fingerprint; /* for rtsps; both NULL: whom the system trusts */
  gboolean is_udp;                   /* ask for RTP by UDP first */
} RtspClientSettings;

/* `reason` is static: unreachable tls unauthorized not_found no_sdp unsupported_codec protocol closed. The callback may free
 * the client. */
typedef void (*RtspClientFailed) (const char *reason, const char *detail, gpointer data);

/* `settings` must live as long as the client. The receiver's message callback must go to rtsp_client_message. */
RtspClient *rtsp_client_new (Loop *loop, Receiver *receiver, const RtspClientSettings *settings, Resolver *resolver,
                             RtspClientFailed failed, gpointer data);

/* What the camera offers; NULL until all of it is set up. Lives as long as the client. */
const TrackList *rtsp_client_tracks (const RtspClient *client);

gboolean rtsp_client_is_playing (const RtspClient *client); /* PLAY was answered */
gboolean rtsp_client_is_udp (const RtspClient *client);     /* RTP comes by UDP */
gboolean rtsp_client_is_over (const RtspClient *client);    /* the camera said goodbye by RTCP */

gssize rtsp_client_message (RtspClient *client, const guint8 *bytes, gsize size);

/* Says TEARDOWN if there is a session, closes and frees at the end of the turn. NULL is taken. */
void rtsp_client_free (RtspClient *client);
