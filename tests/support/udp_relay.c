#include "tests/support/udp_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtsp/rtsp_message.h"

enum { TRACKS = 4, PORTS = 4, PACKET_MAX = 16 * 1024, PORT_TRIES = 200 };

/* Of a track, facing the server and the client. */
typedef enum { SERVER_RTP, SERVER_RTCP, CLIENT_RTP, CLIENT_RTCP } Side;

typedef struct {
  int fds[PORTS];         /* by Side; -1: not open */
  guint16 numbers[PORTS]; /* of these */
  guint16 peers[PORTS];   /* where the other end listens; 0: not known */
  GRand *dice;
  guint count; /* RTP packets that came from the server */
} RelayTrack;

typedef struct {
  gint64 due_us;
  guint behind; /* others that must pass first; 0: only the time counts */
  guint track;
  GBytes *packet;
} Held;

struct UdpRelay {
  UdpRelayHarm harm;
  guint16 port, server_port;
  int listen_fd, stop_fd;
  GThread *thread;
  RelayTrack tracks[TRACKS];
  guint track_count;
  GPtrArray *held; /* of Held */
  GMutex mutex;    /* guards what follows */
  UdpRelayCounts counts;
  gboolean is_harmless;
};

/* ---- sockets ---- */

static struct sockaddr_in loopback (guint16 port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons (port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
}

static int bound (int type, guint16 port, guint16 *number)
{
  struct sockaddr_in address = loopback (port);
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, type | SOCK_CLOEXEC, 0);
  if (bind (fd, (struct sockaddr *) &address, size) != 0) {
    close (fd);
    return -1;
  }
  getsockname (fd, (struct sockaddr *) &address, &size);
  *number = ntohs (address.sin_port);
  return fd;
}

static void open_pair (RelayTrack *track, Side rtp)
{
  for (guint i = 0; i < PORT_TRIES; i++) {
    track->fds[rtp] = bound (SOCK_DGRAM, 0, &track->numbers[rtp]);
    if (track->numbers[rtp] % 2 == 0
        && (track->fds[rtp + 1] = bound (SOCK_DGRAM, (guint16) (track->numbers[rtp] + 1), &track->numbers[rtp + 1])) >= 0)
      return;
    close (track->fds[rtp]);
  }
  g_error ("no pair of ports is free");
}

/* ---- packets ---- */

static void send_on (UdpRelay *relay, guint track, Side from, const void *bytes, gsize size)
{
  Side to = from ^ 2; /* the same kind, the other end */
  struct sockaddr_in address = loopback (relay->tracks[track].peers[to]);
  if (relay->tracks[track].peers[to] != 0)
    (void) !sendto (relay->tracks[track].fds[to], bytes, size, 0, (struct sockaddr *) &address, sizeof address);
}

static void held_free (gpointer data)
{
  Held *held = data;
  g_bytes_unref (held->packet);
  g_free (held);
}

static void hold (UdpRelay *relay, guint track, const guint8 *bytes, gsize size, gint64 wait_us, guint behind)
{
  Held *held = g_new0 (Held, 1);
  *held = (Held){ g_get_monotonic_time () + wait_us, behind, track, g_bytes_new (bytes, size) };
  g_ptr_array_add (relay->held, held);
}

/* Those whose time has come, or behind whom enough have passed. */
static void release (UdpRelay *relay)
{
  gint64 now = g_get_monotonic_time ();
  for (guint i = 0; i < relay->held->len;) {
    Held *held = relay->held->pdata[i];
    gsize size;
    const guint8 *bytes = g_bytes_get_data (held->packet, &size);
    if (held->due_us > now) {
      i++;
      continue;
    }
    send_on (relay, held->track, SERVER_RTP, bytes, size);
    g_ptr_array_remove_index (relay->held, i);
  }
}

/* One more packet of the track has passed. */
static void let_pass (UdpRelay *relay, guint track)
{
  for (guint i = 0; i < relay->held->len; i++) {
    Held *held = relay->held->pdata[i];
    if (held->track == track && held->behind > 0 && --held->behind == 0)
      held->due_us = 0;
  }
  release (relay);
}

static void pass (UdpRelay *relay, guint track, const guint8 *bytes, gsize size, guint times)
{
  for (guint i = 0; i < times; i++)
    if (relay->harm.delay_ms > 0)
      hold (relay, track, bytes, size, relay->harm.delay_ms * 1000, 0);
    else
      send_on (relay, track, SERVER_RTP, bytes, size);
  let_pass (relay, track);
}

static void harm (UdpRelay *relay, guint track, const guint8 *bytes, gsize size)
{
  RelayTrack *one = &relay->tracks[track];
  const UdpRelayHarm *settings = &relay->harm;
  double roll = g_rand_double (one->dice);
  guint behind = 1 + (guint) g_rand_int_range (one->dice, 0, (gint32) MAX (settings->reorder_packets, 1));
  g_mutex_lock (&relay->mutex);
  gboolean is_spared = relay->is_harmless || one->count++ < settings->spare;
  gboolean is_lost = !is_spared && roll < settings->loss;
  gboolean is_doubled = !is_spared && !is_lost && roll < settings->loss + settings->duplicate;
  gboolean is_held = !is_spared && !is_lost && !is_doubled && roll < settings->loss + settings->duplicate + settings->reorder;
  relay->counts.lost += is_lost;
  relay->counts.doubled += is_doubled;
  relay->counts.reordered += is_held;
  relay->counts.passed += !is_lost;
  g_mutex_unlock (&relay->mutex);
  if (is_held)
    hold (relay, track, bytes, size, settings->reorder_ms * 1000, behind);
  else if (!is_lost)
    pass (relay, track, bytes, size, is_doubled ? 2 : 1);
}

static void take_packet (UdpRelay *relay, guint track, Side side)
{
  guint8 bytes[PACKET_MAX];
  gssize size = recv (relay->tracks[track].fds[side], bytes, sizeof bytes, MSG_DONTWAIT);
  if (size <= 0)
    return;
  if (side == SERVER_RTP)
    harm (relay, track, bytes, (gsize) size);
  else
    send_on (relay, track, side, bytes, (gsize) size);
}

/* ---- RTSP ---- */

/* The numbers behind `name` in the text: into `ports`, replaced by `number` and its next. */
static void exchange (GString *text, const char *name, guint16 ports[2], guint16 number)
{
  char *found = strstr (text->str, name);
  if (found == NULL)
    return;
  char *digits = found + strlen (name), *end = digits;
  ports[0] = (guint16) strtoul (digits, &end, 10);
  ports[1] = *end == '-' ? (guint16) strtoul (end + 1, &end, 10) : (guint16) (ports[0] + 1);
  g_autofree char *ours = g_strdup_printf ("%u-%u", number, number + 1);
  gssize at = digits - text->str;
  g_string_erase (text, at, end - digits);
  g_string_insert (text, at, ours);
}

/* A SETUP names where the client listens: a track begins. */
static void rewrite_request (UdpRelay *relay, GString *text)
{
  if (strstr (text->str, "client_port=") == NULL || relay->track_count == TRACKS)
    return;
  RelayTrack *track = &relay->tracks[relay->track_count];
  open_pair (track, SERVER_RTP);
  open_pair (track, CLIENT_RTP);
  track->dice = g_rand_new_with_seed (relay->harm.seed + relay->track_count);
  relay->track_count++;
  exchange (text, "client_port=", &track->peers[CLIENT_RTP], track->numbers[SERVER_RTP]);
}

static void rewrite_response (UdpRelay *relay, GString *text)
{
  guint16 ignored[2];
  if (relay->track_count == 0 || strstr (text->str, "client_port=") == NULL)
    return;
  RelayTrack *track = &relay->tracks[relay->track_count - 1];
  exchange (text, "server_port=", &track->peers[SERVER_RTP], track->numbers[CLIENT_RTP]);
  exchange (text, "client_port=", ignored, track->peers[CLIENT_RTP]);
}

/* FALSE when the connection is over. */
static gboolean pass_messages (UdpRelay *relay, int from_fd, int to_fd, GByteArray *input, gboolean is_request)
{
  guint8 bytes[16384];
  gssize size = recv (from_fd, bytes, sizeof bytes, 0);
  if (size <= 0)
    return FALSE;
  g_byte_array_append (input, bytes, (guint) size);
  for (;;) {
    g_autoptr (GstRTSPMessage) message = NULL;
    gsize used = 0;
    RtspParse result = rtsp_message_parse (input->data, input->len, RTSP_BODY_MAX, &message, &used, NULL);
    if (result != RTSP_WHOLE)
      return result == RTSP_MORE;
    GString *text = g_string_new_len ((const char *) input->data, (gssize) used);
    if (is_request)
      rewrite_request (relay, text);
    else
      rewrite_response (relay, text);
    gboolean is_sent = send (to_fd, text->str, text->len, MSG_NOSIGNAL) == (gssize) text->len;
    g_string_free (text, TRUE);
    g_byte_array_remove_range (input, 0, (guint) used);
    if (!is_sent)
      return FALSE;
  }
}

/* ---- a client ---- */

static int wait_ms (const UdpRelay *relay)
{
  gint64 first = G_MAXINT64;
  for (guint i = 0; i < relay->held->len; i++)
    first = MIN (first, ((const Held *) relay->held->pdata[i])->due_us);
  return first == G_MAXINT64 ? -1 : (int) CLAMP ((first - g_get_monotonic_time () + 999) / 1000, 0, 1000);
}

/* FALSE when the connection or the relay is over. */
static gboolean turn (UdpRelay *relay, int client_fd, int server_fd, GByteArray *requests, GByteArray *responses)
{
  struct pollfd fds[3 + TRACKS * PORTS] = { { relay->stop_fd, POLLIN, 0 }, { client_fd, POLLIN, 0 }, { server_fd, POLLIN, 0 } };
  for (guint i = 0; i < TRACKS * PORTS; i++)
    fds[3 + i] = (struct pollfd){ relay->tracks[i / PORTS].fds[i % PORTS], POLLIN, 0 };
  if (poll (fds, G_N_ELEMENTS (fds), wait_ms (relay)) < 0)
    return TRUE;
  release (relay);
  for (guint i = 0; i < TRACKS * PORTS; i++)
    if (fds[3 + i].revents != 0)
      take_packet (relay, i / PORTS, (Side) (i % PORTS));
  return fds[0].revents == 0 && (fds[1].revents == 0 || pass_messages (relay, client_fd, server_fd, requests, TRUE))
         && (fds[2].revents == 0 || pass_messages (relay, server_fd, client_fd, responses, FALSE));
}

static void forget_tracks (UdpRelay *relay)
{
  for (guint i = 0; i < TRACKS; i++) {
    RelayTrack *track = &relay->tracks[i];
    for (guint side = 0; side < PORTS; side++)
      if (track->fds[side] >= 0)
        close (track->fds[side]);
    g_clear_pointer (&track->dice, g_rand_free);
    *track = (RelayTrack){ .fds = { -1, -1, -1, -1 } };
  }
  relay->track_count = 0;
  g_ptr_array_set_size (relay->held, 0);
}

static void serve (UdpRelay *relay, int client_fd)
{
  struct sockaddr_in address = loopback (relay->server_port);
  int server_fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_autoptr (GByteArray) requests = g_byte_array_new (), responses = g_byte_array_new ();
  if (connect (server_fd, (struct sockaddr *) &address, sizeof address) == 0)
    while (turn (relay, client_fd, server_fd, requests, responses))
      ;
  close (server_fd);
  forget_tracks (relay);
}

static gpointer run (gpointer data)
{
  UdpRelay *relay = data;
  for (;;) {
    struct pollfd fds[] = { { relay->stop_fd, POLLIN, 0 }, { relay->listen_fd, POLLIN, 0 } };
    while (poll (fds, 2, -1) < 0)
      ;
    if (fds[0].revents != 0)
      return NULL;
    int fd = accept (relay->listen_fd, NULL, NULL);
    if (fd < 0)
      continue;
    serve (relay, fd);
    close (fd);
  }
}

UdpRelay *udp_relay_new (guint16 port, guint16 server_port, const UdpRelayHarm *settings)
{
  UdpRelay *relay = g_new0 (UdpRelay, 1);
  relay->harm = *settings;
  relay->server_port = server_port;
  relay->held = g_ptr_array_new_with_free_func (held_free);
  for (guint i = 0; i < TRACKS; i++)
    relay->tracks[i] = (RelayTrack){ .fds = { -1, -1, -1, -1 } };
  g_mutex_init (&relay->mutex);
  relay->stop_fd = eventfd (0, EFD_CLOEXEC);
  relay->listen_fd = bound (SOCK_STREAM, port, &relay->port);
  g_assert (relay->listen_fd >= 0 && listen (relay->listen_fd, 8) == 0);
  relay->thread = g_thread_new ("udp-relay", run, relay);
  return relay;
}

guint16 udp_relay_port (const UdpRelay *relay)
{
  return relay->port;
}

void udp_relay_end_harm (UdpRelay *relay)
{
  g_mutex_lock (&relay->mutex);
  relay->is_harmless = TRUE;
  g_mutex_unlock (&relay->mutex);
}

UdpRelayCounts udp_relay_counts (UdpRelay *relay)
{
  g_mutex_lock (&relay->mutex);
  UdpRelayCounts counts = relay->counts;
  g_mutex_unlock (&relay->mutex);
  return counts;
}

void udp_relay_free (UdpRelay *relay)
{
  if (relay == NULL)
    return;
  guint64 one = 1;
  (void) !write (relay->stop_fd, &one, sizeof one);
  g_thread_join (relay->thread);
  close (relay->listen_fd);
  close (relay->stop_fd);
  g_ptr_array_unref (relay->held);
  g_mutex_clear (&relay->mutex);
  g_free (relay);
}
