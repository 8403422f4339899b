/* viewer_report.h: reads what viewers send to our RTCP port (RFC 3550 6; reduced size, RFC 5506, is taken as well).
 *
 * thread: any; no state. */
#pragma once

#include <glib.h>

typedef enum {
  VIEWER_REPORT_BROKEN,  /* no RTCP, or its lengths lie */
  VIEWER_REPORT_ALIVE,   /* whoever sent it is there */
  VIEWER_REPORT_GOODBYE, /* … and says that it leaves */
} ViewerReport;

ViewerReport viewer_report_read (const guint8 *packet, gsize size);
