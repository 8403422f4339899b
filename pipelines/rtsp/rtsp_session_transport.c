/* What a SETUP agrees on about the way of the packets, of live streams and of recordings alike: channels of the RTSP connection,
 * or the client's UDP ports. */
#include <netdb.h>

#include "pipelines/rtsp/rtsp_connection_private.h"

/* The address of the other side or, of our own side, the one that it reached. */
static gboolean socket_address (int fd, gboolean is_ours, struct sockaddr_storage *address)
{
  socklen_t size = sizeof *address;
  int result = is_ours ? getsockname (fd, (struct sockaddr *) address, &size) : getpeername (fd, (struct sockaddr *) address, &size);
  return result == 0 && (address->ss_family == AF_INET || address->ss_family == AF_INET6);
}

RtspTakes transport_takes (RtspConnection *connection)
{
  if (connection->session != NULL)
    return connection->udp != NULL ? RTSP_TAKES_UDP : RTSP_TAKES_TCP;
  if (connection->wire.tls != NULL)
    return RTSP_TAKES_TCP; /* packets over UDP would be for everybody on the way to read */
  UdpPorts *ports = rtsp_server_udp_ports (connection->place->server);
  struct sockaddr_storage client;
  gboolean is_reached = ports != NULL && socket_address (connection->wire.fd, FALSE, &client) && udp_ports_reach (ports, &client);
  RtspTakes takes = RTSP_TAKES_TCP | (is_reached ? RTSP_TAKES_UDP : 0);
  udp_ports_unref (ports);
  return takes;
}

/* The packets of a session's first track will go over UDP. */
static gboolean begin_udp (RtspConnection *connection)
{
  struct sockaddr_storage client, local;
  UdpPorts *ports = rtsp_server_udp_ports (connection->place->server);
  if (ports == NULL)
    return FALSE;
  connection->udp_ports = ports;
  if (!socket_address (connection->wire.fd, FALSE, &client) || !socket_address (connection->wire.fd, TRUE, &local))
    return FALSE;
  connection->udp = g_new (UdpOutlet, 1);
  udp_outlet_init (connection->udp, udp_ports_sockets (ports), connection->place->loop, &client, &local, &outlet_limits_default);
  return TRUE;
}

static GstRTSPStatusCode set_ports_up (RtspConnection *connection, guint track, const RtspTransport *transport)
{
  if (track >= TRACKS_MAX)
    return GST_RTSP_STS_NOT_FOUND;
  if (connection->udp == NULL && !begin_udp (connection))
    return GST_RTSP_STS_UNSUPPORTED_TRANSPORT;
  if (!udp_outlet_set_ports (connection->udp, track, (guint16) transport->first, (guint16) transport->second))
    return GST_RTSP_STS_BAD_REQUEST;
  udp_ports_register (connection->udp_ports, &connection->udp_peers[track], &connection->udp->client, (guint16) transport->second);
  return GST_RTSP_STS_OK;
}

GstRTSPStatusCode transport_set_up (RtspConnection *connection, guint track, RtspTransport *transport, guint8 channels[2])
{
  int first = transport->is_udp || transport->first < 0 ? (int) (2 * track) : transport->first;
  int second = transport->is_udp || transport->second < 0 ? first + 1 : transport->second;
  channels[0] = (guint8) first;
  channels[1] = (guint8) second;
  if (transport->is_udp)
    return set_ports_up (connection, track, transport);
  transport->first = first;
  transport->second = second;
  return GST_RTSP_STS_OK;
}

void transport_add_answer (RtspConnection *connection, GstRTSPMessage *response, const RtspTransport *transport,
                           const guint32 *ssrc)
{
  if (!transport->is_udp) {
    add_header (response, GST_RTSP_HDR_TRANSPORT,
                g_strdup_printf ("RTP/AVP/TCP;unicast;interleaved=%d-%d", transport->first, transport->second));
    return;
  }
  guint number = udp_ports_number (connection->udp_ports);
  char host[NI_MAXHOST] = "";
  const struct sockaddr_storage *local = &connection->udp->local;
  getnameinfo ((const struct sockaddr *) local, sizeof *local, host, sizeof host, NULL, 0, NI_NUMERICHOST);
  GString *text = g_string_new (NULL);
  g_string_printf (text, "RTP/AVP;unicast;client_port=%d-%d;source=%s;server_port=%u-%u", transport->first, transport->second, host,
                   number, number + 1);
  if (ssrc != NULL)
    g_string_append_printf (text, ";ssrc=%08X", *ssrc);
  add_header (response, GST_RTSP_HDR_TRANSPORT, g_string_free (text, FALSE));
}

void transport_end (RtspConnection *connection)
{
  for (guint i = 0; i < TRACKS_MAX; i++)
    udp_ports_forget (&connection->udp_peers[i]);
  if (connection->udp != NULL)
    udp_outlet_finish (connection->udp);
  g_clear_pointer (&connection->udp, g_free);
  g_clear_pointer (&connection->udp_ports, udp_ports_unref);
}
