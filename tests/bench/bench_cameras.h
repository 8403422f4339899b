/* bench_cameras.h: the cameras and the viewers of the relay benchmark, each a process of its own.
 *
 * A camera sends 1080p25 of 2 Mb/s as H.264 would be packed (SPS, PPS, then fragments of 1,400 bytes), a key frame every two
 * seconds, timestamps stepping by 3,600. Even cameras write a frame at once, odd ones spread it over 20 ms. It speaks RTSP, or
 * after "RAW /cam/N" sends the same bytes without a word. */
#pragma once

#include <glib.h>
#include <sys/types.h>

enum { BENCH_CAMERAS_MAX = 200, BENCH_VIEWERS_MAX = 1000 };

/* Shared with the child processes. */
typedef struct {
  gint playing;                              /* connections that are sent to */
  gint64 sent_bytes, late_frames;
  gint receiving;                            /* viewers that have got a packet */
  gint64 received_bytes;
  gint64 first_packet_us[BENCH_VIEWERS_MAX]; /* from connect */
  gint not_key;                              /* viewers whose first packet was no parameter set or key frame */
} BenchShared;

BenchShared *bench_shared_new (void);

/* Starts the cameras on a free port, which is put into `*port`. */
pid_t bench_cameras_start (BenchShared *shared, guint16 *port);

/* Viewers 0 … count - 1, of camera `viewer % cameras`; over RTSP or, `is_raw`, of relay_floor. */
pid_t bench_viewers_start (BenchShared *shared, guint16 port, guint count, guint cameras, gboolean is_raw);

/* A port that nobody listens on just now. */
guint16 bench_free_port (void);
