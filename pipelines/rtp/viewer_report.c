#include "pipelines/rtp/viewer_report.h"

enum { HEADER = 4, SENDER_REPORT = 200, RECEIVER_REPORT = 201, GOODBYE = 203, TYPE_FIRST = 192, TYPE_LAST = 223,
       SENDER_INFO = 24, BLOCK = 24 };

/* Bytes that a packet of this type has at least (RFC 3550 6.4 to 6.6). */
static gsize least_size (guint8 type, guint count)
{
  switch (type) {
  case SENDER_REPORT:
    return HEADER + SENDER_INFO + count * BLOCK;
  case RECEIVER_REPORT:
    return HEADER + 4 + count * BLOCK;
  case GOODBYE:
    return HEADER + count * 4;
  default:
    return HEADER;
  }
}

ViewerReport viewer_report_read (const guint8 *packet, gsize size)
{
  ViewerReport result = VIEWER_REPORT_BROKEN;
  for (gsize at = 0; at < size;) {
    const guint8 *header = packet + at;
    if (size - at < HEADER || header[0] >> 6 != 2 || header[1] < TYPE_FIRST || header[1] > TYPE_LAST)
      return VIEWER_REPORT_BROKEN;
    gsize length = HEADER + 4 * ((gsize) header[2] << 8 | header[3]);
    if (length > size - at || length < least_size (header[1], header[0] & 0x1f))
      return VIEWER_REPORT_BROKEN;
    if (header[1] == GOODBYE)
      result = VIEWER_REPORT_GOODBYE;
    else if (result == VIEWER_REPORT_BROKEN)
      result = VIEWER_REPORT_ALIVE;
    at += length;
  }
  return result;
}
