/* link_call.c: the link from other threads than its own. */
#include "gateway/core/log.h"
#include "gateway/link/link_endpoint_private.h"

typedef struct {
  LinkEndpoint *endpoint;
  LinkMessage *message;
} Posted;

static gboolean send_posted (gpointer data)
{
  Posted *posted = data;
  link_endpoint_send (posted->endpoint, g_steal_pointer (&posted->message));
  return G_SOURCE_REMOVE;
}

void link_endpoint_post (LinkEndpoint *endpoint, LinkMessage *message)
{
  Posted *posted = g_new (Posted, 1);
  *posted = (Posted){ endpoint, message };
  link_endpoint_invoke (endpoint, send_posted, posted);
}

static void ignore_reply (LinkMessage *reply, const GError *error, gpointer data)
{
  (void) reply, (void) data;
  if (error != NULL)
    log_debug ("link: %s", error->message);
}

static gboolean request_posted (gpointer data)
{
  Posted *posted = data;
  link_endpoint_request (posted->endpoint, g_steal_pointer (&posted->message), 0, ignore_reply, NULL);
  return G_SOURCE_REMOVE;
}

void link_endpoint_post_request (LinkEndpoint *endpoint, LinkMessage *message)
{
  Posted *posted = g_new (Posted, 1);
  *posted = (Posted){ endpoint, message };
  link_endpoint_invoke (endpoint, request_posted, posted);
}

enum { LOOK_US = 200 * 1000 };

typedef struct {
  LinkEndpoint *endpoint;
  LinkMessage *message, *reply;
  gint64 timeout_us;
  GError *error;
  GMutex mutex;
  GCond finished;
  gboolean is_finished;
} Call;

static void finish_call (LinkMessage *reply, const GError *error, gpointer data)
{
  Call *call = data;
  g_mutex_lock (&call->mutex);
  if (error != NULL) {
    call->error = g_error_copy (error);
  } else { /* the reply is borrowed: move what is in it */
    call->reply = g_memdup2 (reply, sizeof *reply);
    call->reply->body = json_incref (reply->body);
    reply->fd_count = 0;
  }
  call->is_finished = TRUE;
  g_cond_signal (&call->finished);
  g_mutex_unlock (&call->mutex);
}

static gboolean start_call (gpointer data)
{
  Call *call = *(Call **) data;
  link_endpoint_request (call->endpoint, g_steal_pointer (&call->message), call->timeout_us, finish_call, call);
  return G_SOURCE_REMOVE;
}

static void look_and_wait (Call *call, LinkLook look, gpointer data)
{
  while (!call->is_finished) {
    if (look == NULL) {
      g_cond_wait (&call->finished, &call->mutex);
      continue;
    }
    g_mutex_unlock (&call->mutex);
    look (data);
    g_mutex_lock (&call->mutex);
    if (!call->is_finished)
      g_cond_wait_until (&call->finished, &call->mutex, g_get_monotonic_time () + LOOK_US);
  }
}

LinkMessage *link_endpoint_call (LinkEndpoint *endpoint, LinkMessage *message, gint64 timeout_us, GError **error)
{
  return link_endpoint_call_looking (endpoint, message, timeout_us, NULL, NULL, error);
}

LinkMessage *link_endpoint_call_looking (LinkEndpoint *endpoint, LinkMessage *message, gint64 timeout_us, LinkLook look,
                                         gpointer data, GError **error)
{
  Call call = { .endpoint = endpoint, .message = message, .timeout_us = timeout_us };
  Call *pointer = &call;
  g_mutex_init (&call.mutex);
  g_cond_init (&call.finished);
  link_endpoint_invoke (endpoint, start_call, g_memdup2 (&pointer, sizeof pointer));
  g_mutex_lock (&call.mutex);
  look_and_wait (&call, look, data);
  g_mutex_unlock (&call.mutex);
  g_cond_clear (&call.finished);
  g_mutex_clear (&call.mutex);
  if (call.error != NULL)
    g_propagate_error (error, call.error);
  return call.reply;
}
