/* relay_floor: the bare loop that gridgate-media is measured against: reads what cameras send, sends it to each viewer.
 *
 * usage: relay_floor CAMERA_PORT CAMERAS VIEWER_PORT [prompt]
 * It opens CAMERAS raw connections to 127.0.0.1:CAMERA_PORT (bench_cameras.h) and takes viewers, who say which camera they
 * want in one byte. No framing, no parsing, no bounds: the least that any relay does. It is never tuned. `prompt`
 * is for the comparison of delays: without TCP_NODELAY a packet may wait 40 ms for the acknowledgement of the one before. */
#include <netinet/tcp.h>
#include <string.h>

#include "tests/bench/floor/floor.h"

enum { CAMERAS_MAX = 256, VIEWERS_MAX = 4096, LISTENER = CAMERAS_MAX };

typedef struct {
  int fd;
  int viewers[VIEWERS_MAX];
  int viewer_count;
} Source;

static Source sources[CAMERAS_MAX];
static char buffer[128 * 1024];
static int is_prompt;

static void take_viewer (int listen_fd)
{
  unsigned char camera;
  int fd = accept (listen_fd, NULL, NULL);
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &is_prompt, sizeof is_prompt);
  if (fd >= 0 && read (fd, &camera, 1) == 1 && sources[camera].viewer_count < VIEWERS_MAX)
    sources[camera].viewers[sources[camera].viewer_count++] = fd;
}

static void pass_on (Source *source)
{
  ssize_t size = read (source->fd, buffer, sizeof buffer);
  if (size <= 0)
    exit (0);
  for (int i = 0; i < source->viewer_count; i++)
    send (source->viewers[i], buffer, (size_t) size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int main (int count, char **arguments)
{
  if (count < 4)
    return 1;
  is_prompt = count > 4 && strcmp (arguments[4], "prompt") == 0;
  int epoll_fd = epoll_create1 (0), cameras = atoi (arguments[2]);
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
        pass_on (&sources[events[i].data.u32]);
  }
}
