/* socket_address.h: IPv4 and IPv6 addresses of sockets, looked at in one way.
 *
 * thread: any. */
#pragma once

#include <glib.h>
#include <sys/socket.h>

guint16 socket_address_port (const struct sockaddr_storage *address);
void socket_address_set_port (struct sockaddr_storage *address, guint16 port);

/* For bind and sendto. */
socklen_t socket_address_length (const struct sockaddr_storage *address);

/* The host's bytes: 4 or 16. */
gconstpointer socket_address_host (const struct sockaddr_storage *address, gsize *size);
gboolean socket_address_is_same_host (const struct sockaddr_storage *a, const struct sockaddr_storage *b);
