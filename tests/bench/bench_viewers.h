/* bench_viewers.h: the viewers of the benchmarks, a process of their own that counts what comes, and how old it is. */
#pragma once

#include "tests/bench/bench_cameras.h"

typedef enum {
  BENCH_RTSP_TCP,
  BENCH_RTSP_UDP,
  BENCH_RAW_TCP, /* of relay_floor: one byte says which camera */
  BENCH_RAW_UDP, /* of udp_floor: a byte, then the port, high byte first */
} BenchTransport;

typedef struct {
  guint16 port;
  guint count, cameras; /* viewers 0 … count - 1, of camera `viewer % cameras` */
  BenchTransport transport;
  gint64 spacing_us; /* 0: all come at once and stay; else one after the other, and each leaves with its first key frame */
} BenchViewers;

/* Kill it to end them. */
pid_t bench_viewers_start (BenchShared *shared, const BenchViewers *viewers);
