/* bench_server.h: what is measured: a floor, gridgate-media, or another relay that stands on PATH; each a process that pulls
 * the benchmark's cameras and serves them to its viewers as /live/cN. */
#pragma once

#include "tests/bench/bench_viewers.h"

typedef enum {
  BENCH_FLOOR,
  BENCH_PROMPT_FLOOR, /* the same without delays of its own */
  BENCH_UDP_FLOOR,
  BENCH_GRIDGATE,
  BENCH_MEDIAMTX,
  BENCH_GO2RTC,
  BENCH_SERVER_COUNT
} BenchServerKind;

typedef struct {
  BenchServerKind kind;
  guint16 camera_port;
  guint cameras;
  /* of gridgate-media alone: */
  gboolean is_on_demand, records;
  gint64 max_bytes; /* of recordings; 0: no limit */
} BenchServerPlan;

typedef struct {
  BenchServerKind kind;
  pid_t pid;
  guint16 port;
  char *folder;  /* its own, temporary: sockets, configuration, recordings below data/ */
  pid_t decider; /* gridgate-media's other side (fake-gridgate), which writes `events`, a line of JSON each */
  char *events;
} BenchServer;

const char *bench_server_name (BenchServerKind kind);

/* Of somebody else. */
gboolean bench_server_is_other (BenchServerKind kind);

/* Whether there is one: a floor and gridgate-media always, another relay if it is on PATH. */
gboolean bench_server_is_there (BenchServerKind kind);

/* Prints a line for each other relay that isn't there. */
void bench_server_tell_absent (void);

/* Does not wait until its cameras play. */
BenchServer *bench_server_start (const BenchServerPlan *plan);

/* What bench_viewers_start needs to know: BENCH_RAW_… for a floor. */
BenchTransport bench_server_transport (const BenchServer *server, gboolean is_udp);

/* What it complained of, to standard error. */
void bench_server_show_log (const BenchServer *server);

/* Ends it and removes its folder. */
void bench_server_stop (BenchServer *server);
