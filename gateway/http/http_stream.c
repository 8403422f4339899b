/* http_stream.c: server-sent events over libmicrohttpd: a reader that suspends its connection while there is nothing. */
#include <string.h>

#include "gateway/http/http_private.h"

enum { BLOCK_BYTES = 16 * 1024 };

typedef struct {
  HttpStreams *streams;
  struct MHD_Connection *connection;
  HttpStreamSource source;
  /* the server's thread only */
  char *text;
  gsize sent, size;
  /* under the streams' mutex */
  gboolean is_suspended, is_woken, has_comment, is_over;
} Stream;

struct HttpStreams {
  GMutex mutex;
  GHashTable *all; /* of Stream */
  GHashTable *asked; /* streams whose source is being asked on the pulse thread: they are freed after it */
  GCond asked_done;
  gboolean is_ended;
};

HttpStreams *http_streams_new (void)
{
  HttpStreams *streams = g_new0 (HttpStreams, 1);
  g_mutex_init (&streams->mutex);
  g_cond_init (&streams->asked_done);
  streams->all = g_hash_table_new (NULL, NULL);
  streams->asked = g_hash_table_new (NULL, NULL);
  return streams;
}

/* With the mutex held. */
static void wake (Stream *stream)
{
  stream->is_woken = TRUE;
  if (stream->is_suspended) {
    stream->is_suspended = FALSE;
    MHD_resume_connection (stream->connection);
  }
}

/* FALSE: nothing to send; the connection is suspended then, unless it was woken meanwhile (`*again`). */
static gboolean prepare_text (Stream *stream, gboolean *again)
{
  g_mutex_lock (&stream->streams->mutex);
  gboolean is_over = stream->is_over;
  stream->is_woken = FALSE;
  g_mutex_unlock (&stream->streams->mutex);
  *again = FALSE;
  if (is_over)
    return FALSE;
  stream->text = stream->source.next (stream->source.data);

  g_mutex_lock (&stream->streams->mutex);
  if (stream->text == NULL && stream->has_comment)
    stream->text = g_strdup (": \n\n"); /* shows that the client still reads, and keeps proxies from closing */
  stream->has_comment = FALSE;
  if (stream->text == NULL && !stream->is_woken && !stream->is_over) {
    stream->is_suspended = TRUE;
    MHD_suspend_connection (stream->connection);
  } else {
    *again = stream->text == NULL;
  }
  g_mutex_unlock (&stream->streams->mutex);
  stream->sent = 0;
  stream->size = stream->text != NULL ? strlen (stream->text) : 0;
  return stream->text != NULL;
}

static gboolean is_over (Stream *stream)
{
  g_mutex_lock (&stream->streams->mutex);
  gboolean is = stream->is_over;
  g_mutex_unlock (&stream->streams->mutex);
  return is;
}

static ssize_t read_stream (void *data, uint64_t position, char *buffer, size_t room)
{
  Stream *stream = data;
  (void) position;
  for (gboolean again = TRUE; stream->text == NULL;) {
    if (prepare_text (stream, &again))
      break;
    if (is_over (stream))
      return MHD_CONTENT_READER_END_OF_STREAM;
    if (!again)
      return 0;
  }
  gsize size = MIN (room, stream->size - stream->sent);
  memcpy (buffer, stream->text + stream->sent, size);
  stream->sent += size;
  if (stream->sent == stream->size)
    g_clear_pointer (&stream->text, g_free);
  return (ssize_t) size;
}

static void free_stream (void *data)
{
  Stream *stream = data;
  HttpStreams *streams = stream->streams;
  g_mutex_lock (&streams->mutex);
  g_hash_table_remove (streams->all, stream);
  while (g_hash_table_contains (streams->asked, stream))
    g_cond_wait (&streams->asked_done, &streams->mutex);
  g_mutex_unlock (&streams->mutex);
  stream->source.free_data (stream->source.data);
  g_free (stream->text);
  g_free (stream);
}

struct MHD_Response *http_stream_start (HttpServer *server, struct MHD_Connection *connection, HttpStreamSource *source)
{
  HttpStreams *streams = http_server_streams (server);
  Stream *stream = g_new0 (Stream, 1);
  stream->streams = streams;
  stream->connection = connection;
  stream->source = *source;
  *source = (HttpStreamSource){ 0 };
  g_mutex_lock (&streams->mutex);
  stream->is_over = streams->is_ended;
  stream->has_comment = TRUE; /* the head leaves at once with it */
  g_hash_table_add (streams->all, stream);
  g_mutex_unlock (&streams->mutex);
  return MHD_create_response_from_callback (MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream, free_stream);
}

/* Asks the sources without the mutex, each kept from being freed meanwhile. */
static void end_invalid (HttpStreams *streams)
{
  g_mutex_lock (&streams->mutex);
  guint count;
  g_autofree gpointer *all = g_hash_table_get_keys_as_array (streams->all, &count);
  for (guint i = 0; i < count; i++)
    g_hash_table_add (streams->asked, all[i]);
  for (guint i = 0; i < count; i++) {
    Stream *stream = all[i];
    g_mutex_unlock (&streams->mutex);
    gboolean is_valid = stream->source.is_valid (stream->source.data);
    g_mutex_lock (&streams->mutex);
    stream->is_over |= !is_valid;
    g_hash_table_remove (streams->asked, stream);
    g_cond_broadcast (&streams->asked_done);
  }
  g_mutex_unlock (&streams->mutex);
}

void http_streams_wake (HttpStreams *streams, gboolean is_tick)
{
  GHashTableIter iter;
  gpointer stream;
  if (is_tick)
    end_invalid (streams);
  g_mutex_lock (&streams->mutex);
  g_hash_table_iter_init (&iter, streams->all);
  while (g_hash_table_iter_next (&iter, &stream, NULL)) {
    ((Stream *) stream)->has_comment |= is_tick;
    wake (stream);
  }
  g_mutex_unlock (&streams->mutex);
}

void http_streams_end (HttpStreams *streams)
{
  GHashTableIter iter;
  gpointer stream;
  g_mutex_lock (&streams->mutex);
  streams->is_ended = TRUE;
  g_hash_table_iter_init (&iter, streams->all);
  while (g_hash_table_iter_next (&iter, &stream, NULL)) {
    ((Stream *) stream)->is_over = TRUE;
    wake (stream);
  }
  g_mutex_unlock (&streams->mutex);
}

guint http_streams_count (HttpStreams *streams)
{
  g_mutex_lock (&streams->mutex);
  guint count = g_hash_table_size (streams->all);
  g_mutex_unlock (&streams->mutex);
  return count;
}

void http_streams_free (HttpStreams *streams)
{
  g_hash_table_unref (streams->all);
  g_hash_table_unref (streams->asked);
  g_cond_clear (&streams->asked_done);
  g_mutex_clear (&streams->mutex);
  g_free (streams);
}
