/* http_connections.h: the server's open connections and their deadlines, which libmicrohttpd doesn't keep.
 *
 * A connection whose deadline has passed is shut down; libmicrohttpd then closes it. The lock keeps a descriptor from being
 * shut down after it has been closed and given to somebody else.
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef struct HttpConnections HttpConnections;
typedef struct HttpConnection HttpConnection;

HttpConnections *http_connections_new (void);

HttpConnection *http_connections_add (HttpConnections *connections, int socket_fd, gint64 deadline_us);
void http_connections_remove (HttpConnections *connections, HttpConnection *connection);

/* Monotonic; 0: none. NULL is taken as a connection. */
void http_connections_set_deadline (HttpConnections *connections, HttpConnection *connection, gint64 deadline_us);
void http_connections_enforce (HttpConnections *connections, gint64 now_us);

guint http_connections_count (HttpConnections *connections);

void http_connections_free (HttpConnections *connections);
