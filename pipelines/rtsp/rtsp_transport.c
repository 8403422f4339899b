#include "pipelines/rtsp/rtsp_transport.h"

#include <gst/rtsp/gstrtsptransport.h>

enum { OFFERS_MAX = 8 };

static gboolean take_channels (const GstRTSPTransport *transport, RtspTransport *chosen)
{
  *chosen = (RtspTransport){ FALSE, transport->interleaved.min, transport->interleaved.max };
  return chosen->first < 255 && chosen->second < 255;
}

static gboolean take_ports (const GstRTSPTransport *transport, RtspTransport *chosen)
{
  int first = transport->client_port.min, second = transport->client_port.max;
  *chosen = (RtspTransport){ TRUE, first, second < 0 ? first + 1 : second };
  return first > 0 && first <= G_MAXUINT16 && chosen->second > 0 && chosen->second <= G_MAXUINT16;
}

static gboolean take (const GstRTSPTransport *transport, RtspTakes takes, RtspTransport *chosen)
{
  if (transport->trans != GST_RTSP_TRANS_RTP || transport->profile != GST_RTSP_PROFILE_AVP || transport->mode_record)
    return FALSE;
  if (transport->lower_transport == GST_RTSP_LOWER_TRANS_TCP)
    return takes & RTSP_TAKES_TCP && take_channels (transport, chosen);
  return transport->lower_transport == GST_RTSP_LOWER_TRANS_UDP && takes & RTSP_TAKES_UDP && take_ports (transport, chosen);
}

gboolean rtsp_transport_choose (const char *header, RtspTakes takes, RtspTransport *chosen)
{
  g_auto (GStrv) offers = g_strsplit (header != NULL ? header : "", ",", OFFERS_MAX);
  gboolean is_taken = FALSE;
  for (char **offer = offers; *offer != NULL && !is_taken; offer++) {
    GString *text = g_string_new (*offer);
    g_string_replace (text, " ", "", 0); /* GStreamer drops what stands after a space */
    GstRTSPTransport *transport = NULL;
    gst_rtsp_transport_new (&transport);
    is_taken = gst_rtsp_transport_parse (text->str, transport) == GST_RTSP_OK && take (transport, takes, chosen);
    gst_rtsp_transport_free (transport);
    g_string_free (text, TRUE);
  }
  return is_taken;
}
