/* credentials.h: what stands in WWW-Authenticate and Authorization (RFC 7235 2.1), checked before GStreamer reads it.
 *
 * GStreamer 1.22.0 before Debian's revision deb12u7 reads beyond a header in which something else than a value follows an
 * equals sign and a quote comes later: any camera or client could end the process with one line. So a header that is not of
 * the grammar is taken out of the message first; spaces around an equals sign are not of it here.
 *
 * thread: any; no state. */
#pragma once

#include <gst/rtsp/gstrtspmessage.h>

/* Of all headers `field` that are well formed. Free with gst_rtsp_auth_credentials_free; NULL: none. */
GstRTSPAuthCredential **credentials_read (GstRTSPMessage *message, GstRTSPHeaderField field);

/* One header's value: schemes, each with parameters `name=token` or `name="text"` behind it, or one token68. */
gboolean credentials_are_well_formed (const char *text);
