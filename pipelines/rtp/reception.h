/* reception.h: what a receiver of RTP reports to its sender (RFC 3550 6.4.2, A.1, A.3, A.8).
 *
 * thread: the loop's. */
#pragma once

#include <glib.h>

typedef struct {
  guint32 clock_rate;
  gboolean has_begun;
  guint32 ssrc;
  guint16 highest;          /* sequence number */
  guint32 cycles;           /* times 65536 */
  guint32 first;            /* extended */
  guint32 received, expected_prior, received_prior;
  guint32 transit, jitter_16; /* in ticks; jitter times 16 */
  guint32 last_report;      /* the middle 32 bits of its NTP time; 0: none came */
  gint64 last_report_us;    /* monotonic arrival */
} Reception;

void reception_init (Reception *reception, guint32 clock_rate);

/* A packet of 12 bytes at least, as it came from the net: late and doubled ones too. */
void reception_packet (Reception *reception, const guint8 *packet, gint64 arrival_us);

/* A compound RTCP packet of the sender. TRUE when it says goodbye. */
gboolean reception_rtcp (Reception *reception, const guint8 *packet, gsize size, gint64 arrival_us);

enum { RECEPTION_REPORT_MAX = 128 };

/* Our compound report: receiver report and SDES with `name` (RFC 3550 6.1). Returns its size; without a report block
 * while nothing has come. */
gsize reception_write (Reception *reception, guint32 our_ssrc, const char *name, gint64 now_us,
                       guint8 bytes[RECEPTION_REPORT_MAX]);
