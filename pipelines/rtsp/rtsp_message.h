/* rtsp_message.h: bytes → GstRTSPMessage → bytes, with bounds (RFC 2326 4 to 7).
 *
 * thread: any; no state. */
#pragma once

#include <gst/rtsp/gstrtspmessage.h>

enum {
  RTSP_HEAD_MAX = 16 * 1024, /* start line and headers */
  RTSP_LINE_MAX = 4 * 1024,
  RTSP_HEADERS_MAX = 64,
  RTSP_BODY_MAX = 64 * 1024,
};

typedef enum { RTSP_WHOLE, RTSP_MORE, RTSP_BROKEN } RtspParse;

/* Reads one request or response. RTSP_WHOLE: `message` is new (gst_rtsp_message_free) and `*used` bytes belong to it, which
 * with only line ends before the next thing may also be no message (NULL). RTSP_BROKEN sets `error`. A body may have up to
 * `body_max` bytes. */
RtspParse rtsp_message_parse (const guint8 *bytes, gsize size, gsize body_max, GstRTSPMessage **message, gsize *used,
                              GError **error);

/* Text of `message`, Content-Length included. Free with g_string_free. */
GString *rtsp_message_serialise (const GstRTSPMessage *message);

/* The first value of a header; NULL when there is none. */
const char *rtsp_message_header (const GstRTSPMessage *message, GstRTSPHeaderField field);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstRTSPMessage, gst_rtsp_message_free)
