/* timeline.h: one track's clocks: repairs sequence, timestamp and SSRC so that they run on whatever the camera does.
 *
 * It outlives connections: after a reconnect the numbers go on where they were, so that viewers may stay. Losses stay
 * visible as gaps in the sequence. Timestamps keep the camera's steps; one that jumps (by over three seconds beyond what
 * has passed, or backward by over one, which no reordering of pictures explains) is set to what has passed by arrival.
 *
 * thread: the loop's. */
#pragma once

#include <glib.h>

typedef struct {
  guint32 clock_rate;
  guint32 ssrc;          /* ours, the same for ever */
  gboolean is_anchored;  /* a packet of this connection has been seen */
  gboolean was_anchored; /* one of any connection */
  guint32 camera_ssrc;
  guint16 last_sequence, sequence_offset;        /* last as sent on; offset: camera's + offset = ours */
  guint32 last_timestamp, timestamp_offset;      /* likewise */
  gint64 last_timestamp_us;                      /* arrival of the packet that last changed the timestamp */
  gint64 capture_base_us;                        /* wall time minus the time on our timeline */
  gint64 elapsed_us;                             /* our timeline, from the first packet on */
} Timeline;

/* A track's timeline, at first; `clock_rate` in Hz, over 0. */
void timeline_init (Timeline *timeline, guint32 clock_rate);

/* The next packet comes from a new connection. */
void timeline_reconnect (Timeline *timeline);

typedef struct {
  guint lost;           /* packets missing before this one */
  gboolean was_repaired; /* its timestamp had jumped */
  gboolean is_new_timestamp;
} TimelineStep;

/* Rewrites the RTP header at `packet` (12 bytes at least) in place where it must. */
TimelineStep timeline_packet (Timeline *timeline, guint8 *packet, gint64 arrival_us);

/* When the last packet was captured, by the camera's steps and the least delay seen; wall time. */
gint64 timeline_wall_us (Timeline *timeline, gint64 wall_us);

/* A sender report's mapping of the camera's wall clock to our RTP time (RFC 3550 6.4.1). */
typedef struct {
  guint64 ntp; /* 32.32 seconds since 1900; 0: none came yet */
  guint32 timestamp, ssrc, clock_rate;
} SenderReport;

enum { SENDER_REPORT_BYTES = 28 };

/* The report's wall time in µs since 1970; 0 when it says none. */
gint64 sender_report_wall_us (const SenderReport *report);

/* Writes the report that a sender would have sent at our RTP time `timestamp`. */
void sender_report_write (const SenderReport *report, guint32 timestamp, guint8 bytes[SENDER_REPORT_BYTES]);

/* Repairs a compound RTCP packet in place: SSRCs and the sender report's RTP time. FALSE: it must not be passed on (it lies
 * about its lengths, or says goodbye). `report` is set when there is one in it. */
gboolean timeline_rtcp (Timeline *timeline, guint8 *packet, gsize size, SenderReport *report);
