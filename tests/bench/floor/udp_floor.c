/* udp_floor: the bare loop that gridgate-media's UDP is measured against: reads what cameras send, and sends each packet to
 * each viewer by a sendto of its own.
 *
 * usage: udp_floor CAMERA_PORT CAMERAS VIEWER_PORT
 * It opens CAMERAS raw connections to 127.0.0.1:CAMERA_PORT (bench_cameras.h) and takes viewers, who say in three bytes which
 * camera they want and on which UDP port. Of the interleaved framing it reads the lengths, nothing else. It is never tuned. */
#include <string.h>

#include "tests/bench/floor/floor.h"

enum { CAMERAS_MAX = 256, VIEWERS_MAX = 1024, LISTENER = CAMERAS_MAX, HEAD = 4, BUFFER = 128 * 1024 };

typedef struct {
  int fd;
  struct sockaddr_in viewers[VIEWERS_MAX];
  int viewer_count;
  unsigned char bytes[BUFFER]; /* the beginning of a packet that is not whole yet */
  size_t size;
} Source;

static Source sources[CAMERAS_MAX];

/* The connection stays open: a viewer that is gone is still sent to, as long as the floor lives. */
static void take_viewer (int listen_fd)
{
  unsigned char wish[3];
  int fd = accept (listen_fd, NULL, NULL);
  if (fd < 0 || recv (fd, wish, sizeof wish, MSG_WAITALL) != sizeof wish)
    return;
  Source *source = &sources[wish[0]];
  if (source->viewer_count < VIEWERS_MAX)
    source->viewers[source->viewer_count++] = loopback (wish[1] << 8 | wish[2]);
}

static void send_packet (int udp_fd, const Source *source, const unsigned char *packet, size_t size)
{
  for (int i = 0; i < source->viewer_count; i++)
    sendto (udp_fd, packet, size, MSG_DONTWAIT, (const struct sockaddr *) &source->viewers[i], sizeof source->viewers[i]);
}

static void pass_on (int udp_fd, Source *source)
{
  ssize_t got = read (source->fd, source->bytes + source->size, BUFFER - source->size);
  size_t at = 0;
  if (got <= 0)
    exit (0);
  source->size += (size_t) got;
  while (source->size - at >= HEAD) {
    size_t length = (size_t) source->bytes[at + 2] << 8 | source->bytes[at + 3];
    if (source->size - at < HEAD + length)
      break;
    send_packet (udp_fd, source, source->bytes + at + HEAD, length);
    at += HEAD + length;
  }
  memmove (source->bytes, source->bytes + at, source->size - at);
  source->size -= at;
}

int main (int count, char **arguments)
{
  if (count != 4)
    return 1;
  int epoll_fd = epoll_create1 (0), cameras = atoi (arguments[2]), udp_fd = socket (AF_INET, SOCK_DGRAM, 0);
  int listen_fd = listen_for_viewers (atoi (arguments[3]));
  watch (epoll_fd, listen_fd, LISTENER);
  for (int i = 0; i < cameras && i < CAMERAS_MAX; i++) {
    sources[i].fd = connect_to_camera (atoi (arguments[1]), i);
    watch (epoll_fd, sources[i].fd, i);
  }
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait (epoll_fd, events, 256, -1);
    for (int i = 0; i < ready; i++)
      if (events[i].data.u32 == LISTENER)
        take_viewer (listen_fd);
      else
        pass_on (udp_fd, &sources[events[i].data.u32]);
  }
}
