/* http_pipe.c: bytes of another process or thread to a client over libmicrohttpd: a reader that suspends its connection while the pipe is
 * empty. libmicrohttpd's own answer from a pipe reads with its one thread, and would wait with it. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/http/http_private.h"

enum { BLOCK_BYTES = 128 * 1024, EVENTS = 16 };

typedef struct {
  HttpPipes *pipes;
  struct MHD_Connection *connection;
  int fd;
  HttpProducer *producer; /* NULL: another process */
  gboolean is_suspended, is_watched; /* under the pipes' mutex */
} Pipe;

struct HttpPipes {
  int epoll_fd, wake_fd;
  GThread *thread;
  GMutex mutex;
  GHashTable *all; /* of Pipe */
  gboolean is_ended;
};

/* With the mutex held. */
static void resume (Pipe *pipe)
{
  if (!pipe->is_suspended)
    return;
  pipe->is_suspended = FALSE;
  MHD_resume_connection (pipe->connection);
}

static gpointer wait_for_pipes (gpointer data)
{
  HttpPipes *pipes = data;
  struct epoll_event events[EVENTS];
  gboolean is_ended = FALSE;
  while (!is_ended) {
    int count = epoll_wait (pipes->epoll_fd, events, EVENTS, -1);
    g_mutex_lock (&pipes->mutex);
    for (int i = 0; i < count; i++)
      if (g_hash_table_contains (pipes->all, events[i].data.ptr)) /* it may have gone meanwhile */
        resume (events[i].data.ptr);
    is_ended = pipes->is_ended || (count < 0 && errno != EINTR);
    g_mutex_unlock (&pipes->mutex);
  }
  return NULL;
}

HttpPipes *http_pipes_new (void)
{
  HttpPipes *pipes = g_new0 (HttpPipes, 1);
  struct epoll_event event = { .events = EPOLLIN };
  g_mutex_init (&pipes->mutex);
  pipes->all = g_hash_table_new (NULL, NULL);
  pipes->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  pipes->wake_fd = eventfd (0, EFD_CLOEXEC);
  epoll_ctl (pipes->epoll_fd, EPOLL_CTL_ADD, pipes->wake_fd, &event);
  pipes->thread = g_thread_new ("http-pipes", wait_for_pipes, pipes);
  return pipes;
}

/* FALSE: there is nothing to wait for any more. */
static gboolean suspend (Pipe *pipe)
{
  struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.ptr = pipe };
  HttpPipes *pipes = pipe->pipes;
  g_mutex_lock (&pipes->mutex);
  gboolean waits = !pipes->is_ended;
  if (waits) {
    pipe->is_suspended = TRUE;
    MHD_suspend_connection (pipe->connection);
    epoll_ctl (pipes->epoll_fd, pipe->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, pipe->fd, &event);
    pipe->is_watched = TRUE;
  }
  g_mutex_unlock (&pipes->mutex);
  return waits;
}

static ssize_t read_pipe (void *data, uint64_t position, char *buffer, size_t room)
{
  Pipe *pipe = data;
  (void) position;
  gssize size = read (pipe->fd, buffer, room);
  if (size > 0)
    return size;
  if (size == 0 && pipe->producer != NULL && http_producer_is_whole (pipe->producer))
    return MHD_CONTENT_READER_END_OF_STREAM;
  gboolean is_empty = size < 0 && (errno == EAGAIN || errno == EINTR);
  return is_empty && suspend (pipe) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void free_pipe (void *data)
{
  Pipe *pipe = data;
  g_mutex_lock (&pipe->pipes->mutex);
  g_hash_table_remove (pipe->pipes->all, pipe);
  g_mutex_unlock (&pipe->pipes->mutex);
  close (pipe->fd); /* which takes it out of the epoll set */
  http_producer_end (pipe->producer);
  g_free (pipe);
}

struct MHD_Response *http_pipe_start (HttpServer *server, struct MHD_Connection *connection, HttpResponse *response)
{
  HttpPipes *pipes = http_server_pipes (server);
  Pipe *pipe = g_new0 (Pipe, 1);
  pipe->pipes = pipes;
  pipe->connection = connection;
  pipe->fd = g_steal_fd (&response->pipe_fd);
  pipe->producer = g_steal_pointer (&response->producer);
  g_mutex_lock (&pipes->mutex);
  g_hash_table_add (pipes->all, pipe);
  g_mutex_unlock (&pipes->mutex);
  return MHD_create_response_from_callback (response->pipe_bytes, BLOCK_BYTES, read_pipe, pipe, free_pipe);
}

void http_pipes_end (HttpPipes *pipes)
{
  GHashTableIter iter;
  gpointer pipe;
  g_mutex_lock (&pipes->mutex);
  pipes->is_ended = TRUE;
  g_hash_table_iter_init (&iter, pipes->all);
  while (g_hash_table_iter_next (&iter, &pipe, NULL))
    resume (pipe);
  g_mutex_unlock (&pipes->mutex);
  (void) eventfd_write (pipes->wake_fd, 1);
}

void http_pipes_free (HttpPipes *pipes)
{
  http_pipes_end (pipes);
  g_thread_join (pipes->thread);
  close (pipes->epoll_fd);
  close (pipes->wake_fd);
  g_hash_table_unref (pipes->all);
  g_mutex_clear (&pipes->mutex);
  g_free (pipes);
}
