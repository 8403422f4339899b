#include "pipelines/rtp/socket_address.h"

#include <netinet/in.h>
#include <string.h>

guint16 socket_address_port (const struct sockaddr_storage *address)
{
  return ntohs (address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *) (const void *) address)->sin6_port
                                               : ((const struct sockaddr_in *) (const void *) address)->sin_port);
}

void socket_address_set_port (struct sockaddr_storage *address, guint16 port)
{
  if (address->ss_family == AF_INET6)
    ((struct sockaddr_in6 *) (void *) address)->sin6_port = htons (port);
  else
    ((struct sockaddr_in *) (void *) address)->sin_port = htons (port);
}

socklen_t socket_address_length (const struct sockaddr_storage *address)
{
  return address->ss_family == AF_INET6 ? sizeof (struct sockaddr_in6) : sizeof (struct sockaddr_in);
}

gconstpointer socket_address_host (const struct sockaddr_storage *address, gsize *size)
{
  gboolean is_6 = address->ss_family == AF_INET6;
  *size = is_6 ? sizeof (struct in6_addr) : sizeof (struct in_addr);
  return is_6 ? (gconstpointer) &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr
              : (gconstpointer) &((const struct sockaddr_in *) (const void *) address)->sin_addr;
}

gboolean socket_address_is_same_host (const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
  gsize size;
  gconstpointer host = socket_address_host (a, &size);
  return a->ss_family == b->ss_family && memcmp (host, socket_address_host (b, &size), size) == 0;
}
