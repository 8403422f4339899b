/* scripted_camera.h: an RTSP camera for tests that does what real ones do wrong: one connection at a time, on a thread. */
#pragma once

#include <glib.h>

typedef struct {
  const char *username, *password; /* NULL: no login asked */
  gboolean asks_sha256;
  const char *sdp;              /* body of DESCRIBE; NULL: one H.264 video without parameter sets */
  const char *raw_answer;       /* sent to the first request instead of an answer */
  gboolean sends_before_answer; /* packets come before the answer to PLAY */
  guint8 channel;               /* that it chooses, whatever was asked */
  guint frames;                 /* sent after PLAY, then silence */
  gboolean closes_at_the_end;   /* after the frames */
  guint describes_after_ms;     /* how long it thinks about DESCRIBE */
  guint plays_after_ms;         /* and from its answer to PLAY to the first frame */
  gboolean refuses_audio;       /* SETUP of anything but the first track is answered with 461 */
  guint session_timeout;        /* seconds; 0: 30 */
  gboolean ignores_keep_alive;  /* after PLAY it answers no OPTIONS */
  const char *cert_file, *key_file; /* it speaks TLS */
  const char *redirects_to;     /* DESCRIBE is answered with 302 and this Location, from the first connection on … */
  guint redirects;              /* … for so many connections */
  const char *offers;           /* Public of OPTIONS; NULL: no GET_PARAMETER */
  const char *refuses;          /* method that is answered with 501 */
  const char *sequence;         /* CSeq of all answers; NULL: that of the request */
  const char *challenge;        /* WWW-Authenticate of every DESCRIBE */
  const char *transport;        /* of SETUP's answer; NULL: TCP, interleaved, on `channel` */
  gboolean refuses_udp;         /* SETUP for UDP is answered with 461 */
  gboolean serves_udp;          /* SETUP for UDP is obeyed */
  const char *source;           /* … and the answer names this address; "-": it has no Transport at all; NULL: none */
  gboolean says_goodbye;        /* RTCP BYE after the frames, by UDP */
  int body_is_longer_by;        /* there are so many bytes more than Content-Length says; below 0: less */
  gboolean has_odd_lines;       /* headers in lower case, lines end without \r */
} CameraScript;

typedef struct ScriptedCamera ScriptedCamera;

ScriptedCamera *scripted_camera_new (const CameraScript *script);
char *scripted_camera_url (const ScriptedCamera *camera); /* g_free */
guint16 scripted_camera_port (const ScriptedCamera *camera);
char *scripted_camera_last (ScriptedCamera *camera, const char *method); /* URL of the last such request (g_free); NULL: none */
guint scripted_camera_reports (ScriptedCamera *camera); /* RTCP packets that came back by UDP */
guint scripted_camera_requests (ScriptedCamera *camera, const char *method); /* that came so far */
void scripted_camera_free (ScriptedCamera *camera);
