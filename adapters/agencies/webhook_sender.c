#include "adapters/agencies/webhook_sender.h"

#include <string.h>

#include <curl/curl.h>

#include "adapters/agencies/webhook_signature.h"
#include "gateway/core/error.h"
#include "gateway/core/file.h"

enum { CONNECT_TIMEOUT_MS = 10000, TIMEOUT_MS = 30000, ANSWER_MAX = 16 * 1024, WAIT_MS = 10000 };
#define RETRY_AFTER_MAX_US (1 * G_TIME_SPAN_HOUR)

typedef struct {
  WebhookSender *sender;
  char *url, *secret_file;
  DeliverySink sink;
  gboolean is_open;  /* under the sender's mutex */
  guint outstanding; /* the same */
} Port;

typedef struct {
  Port *port;
  char *event, *payload;
  CURL *request; /* NULL until it begins */
  struct curl_slist *headers;
  gsize answer_bytes;
  char problem[CURL_ERROR_SIZE];
} Delivery;

struct WebhookSender {
  Clock *clock;
  CURLM *multi;
  GThread *thread;
  GPtrArray *running; /* of Delivery; the thread's own */
  GMutex mutex;       /* over what follows */
  gboolean is_stopping;
  GQueue waiting;   /* of Delivery */
  GPtrArray *ports; /* of Port */
};

static void delivery_free (Delivery *delivery)
{
  curl_slist_free_all (delivery->headers);
  curl_easy_cleanup (delivery->request);
  g_free (delivery->event);
  g_free (delivery->payload);
  g_free (delivery);
}

/* Takes `delivery`. */
static void finish (Delivery *delivery, DeliveryOutcome outcome, gint64 retry_after_us, const char *detail)
{
  Port *port = delivery->port;
  g_mutex_lock (&port->sender->mutex);
  port->outstanding--;
  g_mutex_unlock (&port->sender->mutex);
  port->sink.completed (port->sink.data, delivery->event, outcome, retry_after_us, detail);
  delivery_free (delivery);
}

/* The answer's body is of no use; one without end is cut off. */
static size_t count_answer (char *bytes, size_t size, size_t count, void *data)
{
  Delivery *delivery = data;
  (void) bytes;
  delivery->answer_bytes += size * count;
  return delivery->answer_bytes > ANSWER_MAX ? 0 : size * count;
}

static gboolean add_headers (Delivery *delivery, GError **error)
{
  gint64 now_s = clock_wall_us (delivery->port->sender->clock) / G_USEC_PER_SEC;
  g_autofree char *id = g_strdup_printf ("webhook-id: %s", delivery->event);
  g_autofree char *at = g_strdup_printf ("webhook-timestamp: %" G_GINT64_FORMAT, now_s);
  delivery->headers = curl_slist_append (NULL, "Content-Type: application/cloudevents+json; charset=UTF-8");
  delivery->headers = curl_slist_append (delivery->headers, "Expect:");
  delivery->headers = curl_slist_append (delivery->headers, id);
  delivery->headers = curl_slist_append (delivery->headers, at);
  if (delivery->port->secret_file == NULL)
    return TRUE;
  g_autofree char *secret = file_read_secret (delivery->port->secret_file, error);
  g_autoptr (GBytes) key = secret != NULL ? webhook_key_of (secret) : NULL;
  if (key == NULL)
    return secret == NULL ? FALSE
                          : error_set (error, ERROR_RECONFIGURE, "%s: whsec_ must be followed by base64",
                                       delivery->port->secret_file);
  g_autofree char *signature = webhook_signature (key, delivery->event, now_s, delivery->payload);
  g_autofree char *header = g_strconcat ("webhook-signature: ", signature, NULL);
  delivery->headers = curl_slist_append (delivery->headers, header);
  return TRUE;
}

/* Takes `delivery`. */
static void begin (WebhookSender *sender, Delivery *delivery)
{
  g_autoptr (GError) error = NULL;
  if (!add_headers (delivery, &error)) {
    finish (delivery, DELIVERY_RETRY, 0, error->message);
    return;
  }
  CURL *request = delivery->request = curl_easy_init ();
  curl_easy_setopt (request, CURLOPT_URL, delivery->port->url);
  curl_easy_setopt (request, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (request, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt (request, CURLOPT_POST, 1L);
  curl_easy_setopt (request, CURLOPT_POSTFIELDS, delivery->payload);
  curl_easy_setopt (request, CURLOPT_POSTFIELDSIZE, (long) strlen (delivery->payload));
  curl_easy_setopt (request, CURLOPT_HTTPHEADER, delivery->headers);
  curl_easy_setopt (request, CURLOPT_USERAGENT, "gridgate/" GRIDGATE_VERSION);
  curl_easy_setopt (request, CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_TIMEOUT_MS);
  curl_easy_setopt (request, CURLOPT_TIMEOUT_MS, (long) TIMEOUT_MS);
  curl_easy_setopt (request, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (request, CURLOPT_PROXY, "");
  curl_easy_setopt (request, CURLOPT_WRITEFUNCTION, count_answer);
  curl_easy_setopt (request, CURLOPT_WRITEDATA, delivery);
  curl_easy_setopt (request, CURLOPT_ERRORBUFFER, delivery->problem);
  curl_easy_setopt (request, CURLOPT_PRIVATE, delivery);
  g_ptr_array_add (sender->running, delivery);
  curl_multi_add_handle (sender->multi, request);
}

/* Takes `delivery`. */
static void end (Delivery *delivery, CURLcode result)
{
  long status = 0;
  curl_off_t retry_after_s = 0;
  curl_easy_getinfo (delivery->request, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo (delivery->request, CURLINFO_RETRY_AFTER, &retry_after_s);
  gint64 retry_after_us = MIN (retry_after_s, RETRY_AFTER_MAX_US / G_USEC_PER_SEC) * G_USEC_PER_SEC;
  g_autofree char *detail = g_strdup_printf ("HTTP status %ld", status);
  /* A write error after the status is our own cut of an answer that is too long. */
  if (result != CURLE_OK && !(result == CURLE_WRITE_ERROR && status >= 200))
    finish (delivery, DELIVERY_RETRY, 0, delivery->problem[0] != '\0' ? delivery->problem : curl_easy_strerror (result));
  else if (status >= 200 && status < 300)
    finish (delivery, DELIVERY_DONE, 0, NULL);
  else if (status == 408 || status == 429 || status >= 500)
    finish (delivery, DELIVERY_RETRY, retry_after_us, detail);
  else
    finish (delivery, DELIVERY_REFUSED, 0, detail);
}

static void take_ended (WebhookSender *sender)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read (sender->multi, &left)) != NULL) {
    Delivery *delivery = NULL;
    if (message->msg != CURLMSG_DONE)
      continue;
    CURLcode result = message->data.result;
    CURL *request = message->easy_handle;
    curl_easy_getinfo (request, CURLINFO_PRIVATE, (char **) &delivery);
    curl_multi_remove_handle (sender->multi, request);
    g_ptr_array_remove_fast (sender->running, delivery);
    end (delivery, result);
  }
}

static Delivery *take_waiting (WebhookSender *sender, gboolean *is_stopping)
{
  g_mutex_lock (&sender->mutex);
  Delivery *delivery = g_queue_pop_head (&sender->waiting);
  *is_stopping = sender->is_stopping;
  g_mutex_unlock (&sender->mutex);
  return delivery;
}

static void cut_off (WebhookSender *sender)
{
  gboolean is_stopping;
  Delivery *delivery;
  for (guint i = 0; i < sender->running->len; i++) {
    delivery = sender->running->pdata[i];
    curl_multi_remove_handle (sender->multi, delivery->request);
    finish (delivery, DELIVERY_RETURNED, 0, NULL);
  }
  g_ptr_array_set_size (sender->running, 0);
  while ((delivery = take_waiting (sender, &is_stopping)) != NULL)
    finish (delivery, DELIVERY_RETURNED, 0, NULL);
}

static gpointer sender_thread (gpointer data)
{
  WebhookSender *sender = data;
  gboolean is_stopping = FALSE;
  while (!is_stopping) {
    int running;
    Delivery *delivery;
    while ((delivery = take_waiting (sender, &is_stopping)) != NULL)
      begin (sender, delivery);
    curl_multi_perform (sender->multi, &running);
    take_ended (sender);
    if (!is_stopping)
      curl_multi_poll (sender->multi, NULL, 0, WAIT_MS, NULL);
  }
  cut_off (sender);
  return NULL;
}

static gboolean port_open (gpointer self, const DeliverySink *sink, GError **error)
{
  Port *port = self;
  if (!g_str_has_prefix (port->url, "https://") && !g_str_has_prefix (port->url, "http://"))
    return error_set (error, ERROR_RECONFIGURE, "%s is no https:// or http:// address", port->url);
  g_mutex_lock (&port->sender->mutex);
  port->sink = *sink;
  port->is_open = TRUE;
  g_mutex_unlock (&port->sender->mutex);
  sink->ready (sink->data, TRUE);
  return TRUE;
}

static gboolean port_deliver (gpointer self, const char *kind, const char *event, const char *payload)
{
  Port *port = self;
  WebhookSender *sender = port->sender;
  (void) kind; /* the CloudEvent's type says it */
  g_mutex_lock (&sender->mutex);
  gboolean is_taken = port->is_open && !sender->is_stopping && port->outstanding < DELIVERY_IN_FLIGHT_MAX;
  if (is_taken) {
    Delivery *delivery = g_new0 (Delivery, 1);
    delivery->port = port;
    delivery->event = g_strdup (event);
    delivery->payload = g_strdup (payload);
    port->outstanding++;
    g_queue_push_tail (&sender->waiting, delivery);
  }
  g_mutex_unlock (&sender->mutex);
  if (is_taken)
    curl_multi_wakeup (sender->multi);
  return is_taken;
}

static void port_close (gpointer self)
{
  Port *port = self;
  g_mutex_lock (&port->sender->mutex);
  port->is_open = FALSE;
  g_mutex_unlock (&port->sender->mutex);
}

static void port_nothing (gpointer self)
{
  (void) self;
}

static void port_free (gpointer data)
{
  Port *port = data;
  g_free (port->url);
  g_free (port->secret_file);
  g_free (port);
}

DeliveryPort webhook_sender_port (WebhookSender *sender, const char *url, const char *secret_file)
{
  static const DeliveryOperations operations
    = { port_open, port_deliver, NULL, NULL, port_close, port_nothing, port_nothing };
  Port *port = g_new0 (Port, 1);
  port->sender = sender;
  port->url = g_strdup (url);
  port->secret_file = g_strdup (secret_file);
  g_mutex_lock (&sender->mutex);
  g_ptr_array_add (sender->ports, port);
  g_mutex_unlock (&sender->mutex);
  return (DeliveryPort) { &operations, port };
}

WebhookSender *webhook_sender_new (Clock *clock)
{
  WebhookSender *sender = g_new0 (WebhookSender, 1);
  curl_global_init (CURL_GLOBAL_DEFAULT);
  sender->clock = clock;
  sender->multi = curl_multi_init ();
  sender->running = g_ptr_array_new ();
  sender->ports = g_ptr_array_new_with_free_func (port_free);
  g_mutex_init (&sender->mutex);
  sender->thread = g_thread_new ("webhooks", sender_thread, sender);
  return sender;
}

void webhook_sender_free (WebhookSender *sender)
{
  if (sender == NULL)
    return;
  g_mutex_lock (&sender->mutex);
  sender->is_stopping = TRUE;
  g_mutex_unlock (&sender->mutex);
  curl_multi_wakeup (sender->multi);
  g_thread_join (sender->thread);
  curl_multi_cleanup (sender->multi);
  g_ptr_array_unref (sender->running);
  g_ptr_array_unref (sender->ports);
  g_mutex_clear (&sender->mutex);
  g_free (sender);
}
