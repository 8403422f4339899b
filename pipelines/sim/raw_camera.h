/* raw_camera.h: a hand-written RTSP responder that does one thing wrong, as cameras in the field do.
 *
 * fault                 what it does
 * none                  a whole session: one black 64x64 H.264 key frame ten times a second
 * no_sdp                DESCRIBE is answered 200 with nothing in it
 * empty_sdp             … with a description that has no media
 * unknown_codec         … with a video codec that nobody knows
 * truncated_rtp         between whole packets, packets that end too early: short headers, fragments of nothing, …
 * lying_lengths         interleaved lengths that are longer than what follows
 * early_rtp             packets come before PLAY is answered
 * silent                takes connections and never answers
 * garbage               answers with bytes that are no RTSP
 * endless_header        a header line that never ends
 * lying_content_length  a Content-Length of 999999999 over a short body
 * not_found             DESCRIBE is answered 404
 * closes_after_play     ten frames, then the connection ends
 * jumping_time          RTP time jumps by hours, to and fro, each second
 * stalls                two seconds of frames, then nothing more; the connection stays
 * floods                between frames, 50 Mb/s of packets with rubbish in them
 * resets                a second of frames, then the connection is reset (RST)
 *
 * thread: the main thread; each connection has one of its own. */
#pragma once

#include <glib.h>

#include "pipelines/sim/site_script.h"

typedef struct RawCamera RawCamera;

/* Listens on 127.0.0.1. `script` outlives it. */
RawCamera *raw_camera_new (const CameraScript *script, GError **error);

int raw_camera_port (const RawCamera *camera);

/* Ends all connections and waits for their threads. */
void raw_camera_free (RawCamera *camera);
