#include "gateway/http/http_connections.h"

#include <sys/socket.h>

struct HttpConnection {
  int socket_fd;
  gint64 deadline_us;
};

struct HttpConnections {
  GMutex mutex;
  GHashTable *all; /* of HttpConnection */
};

HttpConnections *http_connections_new (void)
{
  HttpConnections *connections = g_new0 (HttpConnections, 1);
  g_mutex_init (&connections->mutex);
  connections->all = g_hash_table_new_full (NULL, NULL, g_free, NULL);
  return connections;
}

HttpConnection *http_connections_add (HttpConnections *connections, int socket_fd, gint64 deadline_us)
{
  HttpConnection *connection = g_new0 (HttpConnection, 1);
  connection->socket_fd = socket_fd;
  connection->deadline_us = deadline_us;
  g_mutex_lock (&connections->mutex);
  g_hash_table_add (connections->all, connection);
  g_mutex_unlock (&connections->mutex);
  return connection;
}

void http_connections_remove (HttpConnections *connections, HttpConnection *connection)
{
  g_mutex_lock (&connections->mutex);
  g_hash_table_remove (connections->all, connection);
  g_mutex_unlock (&connections->mutex);
}

void http_connections_set_deadline (HttpConnections *connections, HttpConnection *connection, gint64 deadline_us)
{
  if (connection == NULL)
    return;
  g_mutex_lock (&connections->mutex);
  connection->deadline_us = deadline_us;
  g_mutex_unlock (&connections->mutex);
}

void http_connections_enforce (HttpConnections *connections, gint64 now_us)
{
  GHashTableIter iter;
  gpointer key;
  g_mutex_lock (&connections->mutex);
  g_hash_table_iter_init (&iter, connections->all);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    HttpConnection *connection = key;
    if (connection->deadline_us == 0 || connection->deadline_us > now_us)
      continue;
    shutdown (connection->socket_fd, SHUT_RDWR);
    connection->deadline_us = 0;
  }
  g_mutex_unlock (&connections->mutex);
}

guint http_connections_count (HttpConnections *connections)
{
  g_mutex_lock (&connections->mutex);
  guint count = g_hash_table_size (connections->all);
  g_mutex_unlock (&connections->mutex);
  return count;
}

void http_connections_free (HttpConnections *connections)
{
  g_hash_table_unref (connections->all);
  g_mutex_clear (&connections->mutex);
  g_free (connections);
}
