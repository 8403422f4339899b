/* sender_report.h: what RTCP says about clocks (RFC 3550 6.4.1).
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/rtp/timeline.h"

/* A mapping of wall clock to our RTP time. */
typedef struct {
  guint64 ntp; /* 32.32 seconds since 1900; 0: none came yet, or a camera without a clock said none */
  guint32 timestamp, ssrc, clock_rate;
} SenderReport;

enum { SENDER_REPORT_BYTES = 28, RTCP_NAME_LENGTH_MAX = 64, RTCP_NAME_MAX = 80 };

/* The report's wall time in µs since 1970 (before: negative), and back. */
gint64 sender_report_wall_us (const SenderReport *report);
guint64 ntp_from_wall_us (gint64 wall_us);

/* Writes the report that a sender would have sent at our RTP time `timestamp`. */
void sender_report_write (const SenderReport *report, guint32 timestamp, guint8 bytes[SENDER_REPORT_BYTES]);

/* The SDES that belongs behind every report (RFC 3550 6.1), with `name` (of which RTCP_NAME_LENGTH_MAX bytes count) as CNAME.
 * Returns its size. */
gsize rtcp_write_name (guint32 ssrc, const char *name, guint8 bytes[RTCP_NAME_MAX]);

/* Repairs a compound RTCP packet in place: SSRCs and the sender report's RTP time. FALSE: it must not be passed on (it lies
 * about its lengths, or says goodbye). `report` is set when there is one in it. */
gboolean timeline_rtcp (Timeline *timeline, guint8 *packet, gsize size, SenderReport *report);

/* Puts `name` in the place of the sender's in a packet that timeline_rtcp has passed, for an SSRC has one CNAME; a sender's that has
 * no room for it stays. */
void rtcp_set_name (guint8 *packet, gsize size, const char *name);

/* Sets the wall time of the sender reports in a packet that timeline_rtcp has passed. */
void rtcp_set_ntp (guint8 *packet, gsize size, guint64 ntp);
