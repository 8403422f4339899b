/* rtsp_listener.h: the TCP sockets that listen on an address "host:port": one, or two for a name of both families.
 *
 * thread: any; no state. */
#pragma once

#include <glib.h>

enum { RTSP_LISTENER_FDS = 4 };

/* Fills `fds`, which are the caller's; returns how many, 0 with an error. */
guint rtsp_listener_open (const char *address, int fds[RTSP_LISTENER_FDS], GError **error);

guint16 rtsp_listener_port (int fd);
