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

enum { SENDER_REPORT_BYTES = 28 };

/* The report's wall time in µs since 1970 (before: negative), and back. */
gint64 sender_report_wall_us (const SenderReport *report);
guint64 ntp_from_wall_us (gint64 wall_us);

/* Writes the report that a sender would have sent at our RTP time `timestamp`. */
void sender_report_write (const SenderReport *report, guint32 timestamp, guint8 bytes[SENDER_REPORT_BYTES]);

/* Repairs a compound RTCP packet in place: SSRCs and the sender report's RTP time. FALSE: it must not be passed on (it lies
 * about its lengths, or says goodbye). `report` is set when there is one in it. */
gboolean timeline_rtcp (Timeline *timeline, guint8 *packet, gsize size, SenderReport *report);

/* Sets the wall time of the sender reports in a packet that timeline_rtcp has passed. */
void rtcp_set_ntp (guint8 *packet, gsize size, guint64 ntp);
