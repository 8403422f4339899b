/* timeline.h: one track's numbers: repairs sequence, timestamp and SSRC so that they run on whatever the camera does.
 *
 * It outlives connections: after a reconnect the numbers go on where they were, so that viewers may stay. Losses stay
 * visible as gaps in the sequence. A camera that is right keeps its own timestamps to the tick. What is repaired:
 * - a step backward, where the track's pictures are not reordered, or by over a second where they are;
 * - a step forward that is no usual one and would bring a packet before the least delay seen;
 * - timestamps that stand still while pictures come: they go on by arrival;
 * - a clock that counts at another rate than the SDP says (rate_meter.h): scaled by one stable factor.
 * A repaired step is the usual one, or what has passed by arrival when that is longer, drawn gently to the least delay.
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/rtp/rate_meter.h"

typedef enum {
  REPAIR_JUMP_FORWARD,
  REPAIR_JUMP_BACKWARD,
  REPAIR_STANDSTILL,
  REPAIR_CLOCK_RATE, /* once for each rate that was found */
  REPAIR_RESTART,    /* another SSRC, or numbers begun anew, inside a connection */
  REPAIR_REORDERED,  /* packets that came after later ones */
  REPAIR_DUPLICATED, /* packets that came twice: they go no further */
  REPAIR_REPORT,     /* sender reports whose wall time jumped or lies (capture_clock.h) */
  REPAIR_KINDS,
} RepairKind;

extern const char *const repair_names[REPAIR_KINDS]; /* "jump_forward" … */

typedef struct {
  guint32 clock_rate;
  guint32 ssrc;          /* ours, the same for ever */
  gboolean may_reorder;  /* its codec may send pictures in another order than they are shown */
  gboolean is_anchored;  /* a packet of this connection has been seen */
  gboolean was_anchored; /* one of any connection */
  guint32 camera_ssrc;

  guint16 last_sequence, sequence_offset; /* last as sent on; offset: camera's + offset = ours */
  guint64 seen;                           /* bit n: the packet n before the last one has been seen */

  guint32 camera_timestamp;               /* the newest, as the camera counts, and unwrapped */
  gint64 camera_ticks;
  gint64 map_from, map_to;                /* camera_ticks and ticks of one moment: a repair sets them anew */
  gint64 ticks, highest_ticks;            /* ours, unwrapped, of the newest packet */
  gint64 first_ticks;
  gint64 first_us, anchored_us, changed_us; /* arrival: of the first packet, of the connection's, of the last new timestamp */
  gint64 usual_us;                        /* between two pictures, by arrival, smoothed */
  gint64 least_lag_us;                    /* arrival minus our time: the least delay */
  gint64 settled_lag_us;                  /* that of the first start, following slowly: what repairs are drawn to */
  gint64 burst_us;                        /* how much a connection brought at once in its start */
  gint64 window_from_us, window_lag_us;   /* the least of the window that runs */
  guint in_order, doubts;                 /* steps without one backward; repaired backward steps in succession */
  gboolean is_still, had_marker;
  RateMeter rate;
} Timeline;

/* A track's timeline, at first; `clock_rate` in Hz, over 0. */
void timeline_init (Timeline *timeline, guint32 clock_rate, gboolean may_reorder);

/* The next packet comes from a new connection. */
void timeline_reconnect (Timeline *timeline);

typedef struct {
  guint lost;            /* packets missing before this one */
  guint repairs;         /* bits 1 << RepairKind */
  gboolean is_new_timestamp;
  gboolean is_late;      /* its place is before packets that went on: it changes nothing */
} TimelineStep;

/* Rewrites the RTP header at `packet` (12 bytes at least) in place where it must. `arrival_us` is monotonic. */
TimelineStep timeline_packet (Timeline *timeline, guint8 *packet, gint64 arrival_us);

/* Our time of the newest packet, of our unwrapped ticks, and of a camera's timestamp near the newest; µs since the first. */
gint64 timeline_elapsed_us (const Timeline *timeline);
gint64 timeline_ticks_of (const Timeline *timeline, guint32 camera_timestamp);
gint64 timeline_ticks_us (const Timeline *timeline, gint64 ticks);
