/* camera_source.h: the RTSP client that brings one camera's stream in, for as long as it is wanted.
 *
 * A state machine: idle → connecting → live ⇄ stalled → backing_off or failed → connecting. It backs off from 1 s to 60 s with
 * jitter; `failed` is what a person must change (a wrong password, a codec): it is tried again each minute. Nothing in it
 * waits: names are looked up elsewhere, sockets don't block.
 *
 * thread: the loop of its stream. */
#pragma once

#include "pipelines/rtp/receiver.h"
#include "pipelines/rtsp/resolver.h"

typedef enum { CAMERA_IDLE, CAMERA_CONNECTING, CAMERA_LIVE, CAMERA_STALLED, CAMERA_BACKING_OFF, CAMERA_FAILED } CameraState;
enum { CAMERA_STATE_COUNT = CAMERA_FAILED + 1 };

typedef struct {
  char *url; /* rtsp:// or rtsps://, host[:port]/… without credentials */
  char *username, *password;   /* NULL: none */
  char *ca_file, *fingerprint; /* for rtsps; both NULL: whom the system trusts */
  gboolean is_udp;             /* RTP and RTCP come by UDP, if the camera sends them so */
  gboolean on_demand;
  gint64 linger_us;            /* on demand: it stays so long when nobody wants it any more */
} CameraSettings;

CameraSettings camera_settings_copy (const CameraSettings *settings);
void camera_settings_clear (CameraSettings *settings);
gboolean camera_settings_equal (const CameraSettings *a, const CameraSettings *b);

typedef struct {
  CameraState state;
  gint64 since_us;    /* wall */
  const char *reason; /* static: "" unreachable unauthorized tls no_sdp unsupported_codec stalled protocol closed */
  char *detail;       /* for people; may be NULL */
  guint64 connects;
  guint64 transitions[CAMERA_STATE_COUNT]; /* into each state */
  gint64 first_frame_us; /* from connect to the first key frame, of the last connection; 0: none yet */
  int width, height;     /* 0 while unknown */
} CameraStatusNow;

typedef struct CameraSource CameraSource;

/* On the loop: the state changed, or the picture size became known. */
typedef void (*CameraChanged) (CameraSource *source, gpointer data);

/* Feeds `stream`, which must outlive it. Copies `settings`. Starts at once, or on demand. */
CameraSource *camera_source_new (Stream *stream, const CameraSettings *settings, Resolver *resolver, CameraChanged changed,
                                 gpointer data);

const CameraStatusNow *camera_source_status (const CameraSource *source);
const CameraSettings *camera_source_settings (const CameraSource *source);
const char *camera_state_name (CameraState state);

/* The description to serve: with the parameter sets that are known by now. NULL while it isn't live. Free with g_free. */
char *camera_source_sdp (const CameraSource *source);

/* Whether parameter sets are known, or there is no video. */
gboolean camera_source_is_described (const CameraSource *source);

/* Ends the stream and frees, with a TEARDOWN if there is a session. */
void camera_source_free (CameraSource *source);
