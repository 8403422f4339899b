/* bench_cameras.h: the cameras of the benchmarks, a process of their own.
 *
 * A camera sends 1080p25 of 2 Mb/s as H.264 would be packed (SPS, PPS, then fragments of 1,400 bytes), a key frame every two
 * seconds, timestamps stepping by 3,600. Even cameras write a frame at once, odd ones spread it over 20 ms. Each fragment
 * carries the moment when it was written, so that whoever gets it knows how old it is. A camera speaks RTSP, or after
 * "RAW /cam/N" sends the same bytes without a word. */
#pragma once

#include <glib.h>
#include <sys/types.h>

enum {
  BENCH_CAMERAS_MAX = 200,
  BENCH_VIEWERS_MAX = 1000,
  BENCH_DELAY_STEP_US = 20,
  BENCH_DELAY_STEPS = 50000, /* up to a second */
  BENCH_RTP_HEAD = 24,       /* of a packet: the RTP header, the fragment's, and its stamp */
  BENCH_GROUP_US = 2 * G_USEC_PER_SEC,
};

typedef struct {
  gint64 worst_us, count;
  guint32 steps[BENCH_DELAY_STEPS + 1]; /* how many were that old; the last one: all beyond */
} BenchDelays;

/* Shared with the child processes. */
typedef struct {
  gint playing;                              /* connections that are sent to */
  gint is_all_paced;                         /* for connections that come from now on: even cameras spread frames, too */
  gint64 sent_bytes, late_frames;
  gint64 group_bytes;                        /* of one group of pictures, with all headers */
  gint receiving;                            /* viewers that have got a packet; with a spacing: and have left again */
  gint refused;                              /* the status that a viewer was refused with; 0: none was */
  gint not_key;                              /* viewers whose first packet was no parameter set or key frame */
  gint64 received_bytes;
  gint64 first_packet_us[BENCH_VIEWERS_MAX]; /* from connect to the first packet of a key frame */
  gint is_measuring;                         /* delays count */
  BenchDelays packets;                       /* how old they were when they came */
  BenchDelays frames;                        /* of these, the last packets of frames: only then is there a picture */
} BenchShared;

BenchShared *bench_shared_new (void);

/* Starts the cameras on a free port, which is put into `*port`. */
pid_t bench_cameras_start (BenchShared *shared, guint16 *port);

/* A port that nobody listens on just now. */
guint16 bench_free_port (void);

/* An even UDP port that is free just now, as the next one is. */
guint16 bench_free_udp_pair (void);

/* When the RTP packet (BENCH_RTP_HEAD bytes of it) was written, by the monotonic clock; 0: it carries no stamp. */
gint64 bench_stamp_us (const guint8 *packet);

/* Whether it begins or belongs to a key picture or its parameter sets. */
gboolean bench_is_key (const guint8 *packet);
