/* floor.h: how both floors come to their cameras and viewers; what they do with the bytes is their own. */
#pragma once

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static inline struct sockaddr_in loopback (int port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons ((uint16_t) port),
                               .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
}

static inline void watch (int epoll_fd, int fd, int which)
{
  struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t) which };
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static inline int connect_to_camera (int port, int camera)
{
  struct sockaddr_in address = loopback (port);
  char request[64];
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0)
    exit (1);
  int length = snprintf (request, sizeof request, "RAW /cam/%d\r\n\r\n", camera);
  if (write (fd, request, (size_t) length) != length)
    exit (1);
  return fd;
}

static inline int listen_for_viewers (int port)
{
  struct sockaddr_in address = loopback (port);
  int on = 1;
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) != 0 || listen (fd, 1024) != 0)
    exit (1);
  return fd;
}
