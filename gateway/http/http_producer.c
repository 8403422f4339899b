/* http_producer.c: an answer that a thread writes while the client reads it. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http/http_private.h"

/* Each is a thread that reads the disk; people who export are few. */
enum { PRODUCERS_MAX = 4 };

struct HttpProducer {
  HttpProduce produce;
  gpointer data;
  GDestroyNotify free_data;
  int write_fd;
  gint is_whole, is_abandoned; /* atomic */
  GThread *thread;
};

static gint producers; /* atomic */

gboolean http_producer_write (HttpProducer *producer, const char *text, gsize size)
{
  while (size > 0) {
    gssize sent = send (producer->write_fd, text, size, MSG_NOSIGNAL);
    if (sent < 0)
      return FALSE;
    text += sent;
    size -= (gsize) sent;
  }
  return !g_atomic_int_get (&producer->is_abandoned);
}

static gpointer run (gpointer data)
{
  HttpProducer *producer = data;
  gboolean is_whole = producer->produce (producer, producer->data);
  g_atomic_int_set (&producer->is_whole, is_whole);
  close (producer->write_fd); /* the reader sees its end now, and asks */
  return NULL;
}

HttpProducer *http_producer_start (HttpProduce produce, gpointer data, GDestroyNotify free_data, int *read_fd)
{
  int fds[2] = { -1, -1 };
  if (g_atomic_int_add (&producers, 1) >= PRODUCERS_MAX || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    g_atomic_int_add (&producers, -1);
    free_data (data);
    return NULL;
  }
  fcntl (fds[0], F_SETFL, O_NONBLOCK);
  HttpProducer *producer = g_new0 (HttpProducer, 1);
  producer->produce = produce;
  producer->data = data;
  producer->free_data = free_data;
  producer->write_fd = fds[1];
  producer->thread = g_thread_new ("http-producer", run, producer);
  *read_fd = fds[0];
  return producer;
}

gboolean http_producer_is_whole (HttpProducer *producer)
{
  return g_atomic_int_get (&producer->is_whole);
}

void http_producer_end (HttpProducer *producer)
{
  if (producer == NULL)
    return;
  g_atomic_int_set (&producer->is_abandoned, TRUE);
  g_thread_join (producer->thread);
  producer->free_data (producer->data);
  g_free (producer);
  g_atomic_int_add (&producers, -1);
}
