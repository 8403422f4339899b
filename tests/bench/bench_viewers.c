#include "tests/bench/bench_viewers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  ANSWER_MAX = 4096, SESSION_MAX = 64, INTERLEAVED_HEAD = 4, PACKET_MAX = 2048, PORT_TRIES = 100, DATAGRAMS_A_TURN = 64,
  MARKER = 0x80, SOCKET_BUFFER = 4 * 1024 * 1024, EVENTS = 256,
};

typedef enum { DESCRIBING, SETTING_UP, ASKING_TO_PLAY, PLAYING } Step;

typedef struct {
  guint number, camera;
  int fd, rtp_fd, rtcp_fd;
  guint16 rtp_port;
  Step step;
  char answer[ANSWER_MAX], session[SESSION_MAX];
  gsize answer_size;
  guint8 head[INTERLEAVED_HEAD + BENCH_RTP_HEAD]; /* of the packet that is coming */
  gsize head_size, skip;                          /* skip: what is still to come of it */
  gboolean receives, has_key, has_left;
  gint64 started_us;
} Viewer;

typedef struct {
  BenchShared *shared;
  const BenchViewers *plan;
  Viewer *viewers;
  int epoll_fd;
  guint begun;
} Crowd;

static struct sockaddr_in loopback (guint16 port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons (port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
}

/* ---- what comes ---- */

static void note_delay (BenchDelays *delays, gint64 delay_us)
{
  delays->steps[CLAMP (delay_us / BENCH_DELAY_STEP_US, 0, BENCH_DELAY_STEPS)]++;
  delays->count++;
  delays->worst_us = MAX (delays->worst_us, delay_us);
}

static void leave (Viewer *viewer)
{
  close (viewer->fd);
  if (viewer->rtp_fd > 0) {
    close (viewer->rtp_fd);
    close (viewer->rtcp_fd);
  }
  viewer->has_left = TRUE;
}

static void note_packet (Crowd *crowd, Viewer *viewer, const guint8 *packet)
{
  BenchShared *shared = crowd->shared;
  gint64 now = g_get_monotonic_time (), stamp_us = bench_stamp_us (packet);
  if (g_atomic_int_get (&shared->is_measuring) && stamp_us > 0) {
    note_delay (&shared->packets, now - stamp_us);
    if ((packet[1] & MARKER) != 0)
      note_delay (&shared->frames, now - stamp_us);
  }
  if (!viewer->receives && !bench_is_key (packet))
    g_atomic_int_inc (&shared->not_key);
  if (!viewer->receives && crowd->plan->spacing_us == 0)
    g_atomic_int_inc (&shared->receiving);
  viewer->receives = TRUE;
  if (viewer->has_key || !bench_is_key (packet))
    return;
  viewer->has_key = TRUE;
  shared->first_packet_us[viewer->number] = now - viewer->started_us;
  if (crowd->plan->spacing_us > 0) {
    leave (viewer);
    g_atomic_int_inc (&shared->receiving);
  }
}

/* Interleaved packets, of which only the heads are looked at. Whatever else stands between them is passed over: a floor's
 * viewer comes in the middle of one. */
static void take_stream (Crowd *crowd, Viewer *viewer, const guint8 *bytes, gsize size)
{
  while (size > 0 && !viewer->has_left) {
    gsize length = (gsize) viewer->head[2] << 8 | viewer->head[3];
    gsize wanted = viewer->head_size < INTERLEAVED_HEAD ? INTERLEAVED_HEAD : INTERLEAVED_HEAD + MIN (length, BENCH_RTP_HEAD);
    gsize count = MIN (size, viewer->skip > 0 ? viewer->skip : wanted - viewer->head_size);
    if (viewer->skip > 0) {
      viewer->skip -= count;
    } else {
      memcpy (viewer->head + viewer->head_size, bytes, count);
      viewer->head_size += count;
    }
    bytes += count;
    size -= count;
    if (viewer->head_size == INTERLEAVED_HEAD) {
      length = (gsize) viewer->head[2] << 8 | viewer->head[3];
      if (viewer->head[0] != '$' || viewer->head[1] > 3 || length == 0 || length > PACKET_MAX)
        memmove (viewer->head, viewer->head + 1, --viewer->head_size);
    } else if (viewer->head_size > INTERLEAVED_HEAD && viewer->head_size == wanted) {
      if (viewer->head[1] == 0 && length >= BENCH_RTP_HEAD - 8 && viewer->head[INTERLEAVED_HEAD] >> 6 == 2)
        note_packet (crowd, viewer, viewer->head + INTERLEAVED_HEAD);
      viewer->skip = length - (wanted - INTERLEAVED_HEAD);
      viewer->head_size = 0;
    }
  }
}

static void take_datagrams (Crowd *crowd, Viewer *viewer)
{
  guint8 packet[PACKET_MAX] = { 0 };
  for (int i = 0; i < DATAGRAMS_A_TURN && !viewer->has_left; i++) {
    gssize size = recv (viewer->rtp_fd, packet, sizeof packet, MSG_DONTWAIT);
    if (size < BENCH_RTP_HEAD - 8)
      return;
    crowd->shared->received_bytes += size;
    note_packet (crowd, viewer, packet);
  }
}

/* ---- how it is asked for ---- */

static void ask (Crowd *crowd, Viewer *viewer)
{
  g_autofree char *transport = crowd->plan->transport == BENCH_RTSP_UDP
                                 ? g_strdup_printf ("RTP/AVP;unicast;client_port=%u-%u", viewer->rtp_port, viewer->rtp_port + 1)
                                 : g_strdup ("RTP/AVP/TCP;unicast;interleaved=0-1");
  static const char *const methods[] = { "DESCRIBE", "SETUP", "PLAY" };
  g_autofree char *headers = viewer->step == SETTING_UP       ? g_strdup_printf ("Transport: %s\r\n", transport)
                             : viewer->step == ASKING_TO_PLAY ? g_strdup_printf ("Session: %s\r\n", viewer->session)
                                                              : g_strdup ("Accept: application/sdp\r\n");
  g_autofree char *request = g_strdup_printf ("%s rtsp://127.0.0.1:%u/live/c%u%s RTSP/1.0\r\nCSeq: %d\r\n%s\r\n",
                                              methods[viewer->step], crowd->plan->port, viewer->camera,
                                              viewer->step == SETTING_UP ? "/trackID=0" : "", viewer->step + 1, headers);
  if (send (viewer->fd, request, strlen (request), MSG_NOSIGNAL) < 0)
    g_atomic_int_set (&crowd->shared->refused, errno);
}

/* Bytes of the whole answer at the beginning of what came; 0: more is to come. */
static gsize answer_bytes (const Viewer *viewer)
{
  const char *end = strstr (viewer->answer, "\r\n\r\n");
  const char *length = strcasestr (viewer->answer, "\r\nContent-Length:");
  if (end == NULL)
    return 0;
  gsize whole = (gsize) (end + 4 - viewer->answer) + (length != NULL && length < end ? (gsize) atoi (length + 17) : 0);
  return viewer->answer_size >= whole ? whole : 0;
}

static void keep_session (Viewer *viewer)
{
  const char *found = strcasestr (viewer->answer, "\r\nSession:");
  if (found == NULL)
    return;
  found += strlen ("\r\nSession:") + strspn (found + strlen ("\r\nSession:"), " ");
  g_strlcpy (viewer->session, found, MIN (strcspn (found, ";\r\n") + 1, SESSION_MAX));
}

static void take_answer (Crowd *crowd, Viewer *viewer)
{
  gsize room = ANSWER_MAX - 1 - viewer->answer_size;
  gssize size = recv (viewer->fd, viewer->answer + viewer->answer_size, room, MSG_DONTWAIT);
  if (size <= 0) {
    if (size == 0 || errno != EAGAIN)
      g_atomic_int_set (&crowd->shared->refused, 1);
    return;
  }
  viewer->answer_size += (gsize) size;
  viewer->answer[viewer->answer_size] = '\0';
  gsize whole = answer_bytes (viewer);
  if (whole == 0)
    return;
  int status = atoi (viewer->answer + strlen ("RTSP/1.0 "));
  if (status != 200) {
    g_atomic_int_set (&crowd->shared->refused, status);
    return;
  }
  if (viewer->step == SETTING_UP)
    keep_session (viewer);
  if (++viewer->step == PLAYING)
    take_stream (crowd, viewer, (guint8 *) viewer->answer + whole, viewer->answer_size - whole);
  else
    ask (crowd, viewer);
  viewer->answer_size = 0;
}

static void read_viewer (Crowd *crowd, Viewer *viewer)
{
  static guint8 buffer[256 * 1024];
  if (viewer->has_left)
    return;
  if (viewer->step != PLAYING) {
    take_answer (crowd, viewer);
    return;
  }
  gssize size = recv (viewer->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (size <= 0)
    return;
  crowd->shared->received_bytes += size;
  take_stream (crowd, viewer, buffer, (gsize) size);
}

/* ---- how it comes ---- */

static int bind_datagrams (guint16 port)
{
  struct sockaddr_in address = loopback (port);
  int room = SOCKET_BUFFER, fd = socket (AF_INET, SOCK_DGRAM, 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  close (fd);
  return -1;
}

/* An even port and the next one, as RFC 3550 11 wants them. */
static void bind_pair (Viewer *viewer)
{
  static guint16 next = 40000;
  for (int tries = 0; tries < PORT_TRIES; tries++, next = (guint16) (next + 2)) {
    viewer->rtp_fd = bind_datagrams (next);
    viewer->rtcp_fd = viewer->rtp_fd > 0 ? bind_datagrams ((guint16) (next + 1)) : -1;
    if (viewer->rtcp_fd > 0) {
      viewer->rtp_port = next;
      next = (guint16) (next + 2);
      return;
    }
    if (viewer->rtp_fd > 0)
      close (viewer->rtp_fd);
  }
  exit (1);
}

/* `which`: twice the viewer's number, and one more for its datagrams. */
static void watch (Crowd *crowd, int fd, guint which)
{
  struct epoll_event event = { .events = EPOLLIN, .data.u32 = which };
  epoll_ctl (crowd->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void ask_floor (Crowd *crowd, Viewer *viewer)
{
  const guint8 wish[] = { (guint8) viewer->camera, (guint8) (viewer->rtp_port >> 8), (guint8) viewer->rtp_port };
  gsize size = crowd->plan->transport == BENCH_RAW_UDP ? sizeof wish : 1;
  viewer->step = PLAYING;
  if (send (viewer->fd, wish, size, MSG_NOSIGNAL) != (gssize) size)
    g_atomic_int_set (&crowd->shared->refused, errno);
}

static void start_viewer (Crowd *crowd)
{
  BenchTransport transport = crowd->plan->transport;
  guint number = crowd->begun++;
  Viewer *viewer = &crowd->viewers[number];
  struct sockaddr_in address = loopback (crowd->plan->port);
  viewer->number = number;
  viewer->camera = number % crowd->plan->cameras;
  if (transport == BENCH_RTSP_UDP || transport == BENCH_RAW_UDP) {
    bind_pair (viewer);
    watch (crowd, viewer->rtp_fd, 2 * number + 1);
  }
  viewer->fd = socket (AF_INET, SOCK_STREAM, 0);
  viewer->started_us = g_get_monotonic_time ();
  if (connect (viewer->fd, (struct sockaddr *) &address, sizeof address) != 0) {
    g_atomic_int_set (&crowd->shared->refused, errno);
    return;
  }
  watch (crowd, viewer->fd, 2 * number);
  if (transport == BENCH_RAW_TCP || transport == BENCH_RAW_UDP)
    ask_floor (crowd, viewer);
  else
    ask (crowd, viewer);
}

/* Milliseconds until the next one comes; -1: all are there. */
static int start_due (Crowd *crowd, gint64 begin_us)
{
  while (crowd->begun < crowd->plan->count) {
    gint64 wait_us = begin_us + crowd->begun * crowd->plan->spacing_us - g_get_monotonic_time ();
    if (crowd->plan->spacing_us > 0 && wait_us > 0)
      return (int) (wait_us / 1000) + 1;
    start_viewer (crowd);
  }
  return -1;
}

static void run_viewers (BenchShared *shared, const BenchViewers *plan)
{
  Crowd crowd = { shared, plan, g_new0 (Viewer, plan->count), epoll_create1 (0), 0 };
  gint64 begin_us = g_get_monotonic_time ();
  for (;;) {
    struct epoll_event events[EVENTS];
    int timeout_ms = start_due (&crowd, begin_us);
    int ready = epoll_wait (crowd.epoll_fd, events, EVENTS, timeout_ms);
    for (int i = 0; i < ready; i++) {
      Viewer *viewer = &crowd.viewers[events[i].data.u32 / 2];
      if (events[i].data.u32 % 2 == 1)
        take_datagrams (&crowd, viewer);
      else
        read_viewer (&crowd, viewer);
    }
  }
}

pid_t bench_viewers_start (BenchShared *shared, const BenchViewers *viewers)
{
  shared->receiving = shared->refused = shared->not_key = 0;
  shared->received_bytes = 0;
  pid_t pid = fork ();
  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    signal (SIGPIPE, SIG_IGN);
    run_viewers (shared, viewers);
  }
  return pid;
}
