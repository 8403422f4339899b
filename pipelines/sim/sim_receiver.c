#include "pipelines/sim/sim_receiver.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "pipelines/sim/cloud_event.h"
#include "pipelines/sim/say.h"

enum { BODY_MAX = 4 * 1024 * 1024, TOLERANCE_SECONDS = 300, IDS_MAX = 1000000, CONNECTION_SECONDS = 30 };

struct SimReceiver {
  const ReceiverScript *script;
  char *secret;
  struct MHD_Daemon *daemon;
  int port;
  GMutex mutex; /* of all below */
  GHashTable *ids;
  guint failing;
  int failing_status;
  ReceiverCounts counts;
};

/* signatures */

static GBytes *secret_bytes (const char *secret)
{
  if (g_str_has_prefix (secret, "whsec_")) {
    gsize size;
    guchar *bytes = g_base64_decode (secret + strlen ("whsec_"), &size);
    return g_bytes_new_take (bytes, size);
  }
  return g_bytes_new (secret, strlen (secret));
}

char *webhook_signature (const char *secret, const char *id, const char *timestamp, const void *body, gsize size)
{
  g_autoptr (GBytes) key = secret_bytes (secret);
  gsize key_size;
  const guchar *key_bytes = g_bytes_get_data (key, &key_size);
  g_autofree char *head = g_strdup_printf ("%s.%s.", id, timestamp);
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA256, key_bytes, key_size);
  guint8 digest[32];
  gsize digest_size = sizeof digest;
  g_hmac_update (hmac, (const guchar *) head, (gssize) strlen (head));
  g_hmac_update (hmac, body, (gssize) size);
  g_hmac_get_digest (hmac, digest, &digest_size);
  g_hmac_unref (hmac);
  g_autofree char *base64 = g_base64_encode (digest, digest_size);
  return g_strconcat ("v1,", base64, NULL);
}

static gboolean check_signature (SimReceiver *receiver, struct MHD_Connection *connection, const GByteArray *body,
                                 const char **id, GError **error)
{
  *id = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "webhook-id");
  const char *timestamp = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "webhook-timestamp");
  const char *signatures = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "webhook-signature");
  if (!*id || !timestamp || !signatures)
    return error_set (error, ERROR_REFUSE, "webhook-id, webhook-timestamp or webhook-signature is missing");
  gint64 age = g_get_real_time () / G_USEC_PER_SEC - g_ascii_strtoll (timestamp, NULL, 10);
  if (ABS (age) > TOLERANCE_SECONDS)
    return error_set (error, ERROR_REFUSE, "webhook-timestamp is %" G_GINT64_FORMAT " s off", age);

  g_autofree char *expected = webhook_signature (receiver->secret, *id, timestamp, body->data, body->len);
  g_auto (GStrv) given = g_strsplit (signatures, " ", 8);
  if (g_strv_contains ((const char *const *) given, expected))
    return TRUE;
  return error_set (error, ERROR_REFUSE, "the signature is not that of our secret");
}

/* requests */

static enum MHD_Result answer (struct MHD_Connection *connection, guint status)
{
  struct MHD_Response *response = MHD_create_response_from_buffer (0, NULL, MHD_RESPMEM_PERSISTENT);
  enum MHD_Result result = MHD_queue_response (connection, status, response);
  MHD_destroy_response (response);
  return result;
}

/* The status to fail with, 0 when this request may pass. */
static guint planned_failure (SimReceiver *receiver)
{
  g_mutex_lock (&receiver->mutex);
  guint status = 0;
  if (receiver->failing > 0) {
    receiver->failing--;
    receiver->counts.failed++;
    status = (guint) receiver->failing_status;
  }
  g_mutex_unlock (&receiver->mutex);
  return status;
}

static gboolean note_accepted (SimReceiver *receiver, const char *id)
{
  g_mutex_lock (&receiver->mutex);
  gboolean is_new = !g_hash_table_contains (receiver->ids, id);
  receiver->counts.accepted++;
  receiver->counts.repeated += !is_new;
  if (is_new && g_hash_table_size (receiver->ids) < IDS_MAX)
    g_hash_table_add (receiver->ids, g_strdup (id));
  g_mutex_unlock (&receiver->mutex);
  return is_new;
}

static guint receive (SimReceiver *receiver, struct MHD_Connection *connection, const GByteArray *body)
{
  const ReceiverScript *script = receiver->script;
  g_autoptr (GError) error = NULL;
  const char *id = NULL;
  guint failure = planned_failure (receiver);
  if (failure != 0) {
    say ("agency %s: 按要求应答 %u / answers %u as told", script->id, failure, failure);
    return failure;
  }
  json_t *event = NULL;
  if (check_signature (receiver, connection, body, &id, &error))
    event = cloud_event_read (body->data, body->len, &error);
  if (event == NULL) {
    say ("agency %s: 拒收 / refused: %s", script->id, error->message);
    g_mutex_lock (&receiver->mutex);
    receiver->counts.refused++;
    g_mutex_unlock (&receiver->mutex);
    return id ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_UNAUTHORIZED;
  }
  g_autofree char *words = cloud_event_describe (event);
  gboolean is_new = note_accepted (receiver, id);
  say ("agency %s: %s%s%s", script->id, script->name ? script->name : "",
       is_new ? "收到 / received by webhook: " : "重复 / again: ", words);
  json_decref (event);
  return MHD_HTTP_NO_CONTENT;
}

static enum MHD_Result handle (void *data, struct MHD_Connection *connection, const char *path, const char *method,
                               const char *version, const char *upload, size_t *upload_size, void **state)
{
  (void) path, (void) version;
  if (*state == NULL) {
    *state = g_byte_array_new ();
    return MHD_YES;
  }
  GByteArray *body = *state;
  if (*upload_size > 0) {
    if (body->len + *upload_size > BODY_MAX)
      return MHD_NO;
    g_byte_array_append (body, (const guint8 *) upload, (guint) *upload_size);
    *upload_size = 0;
    return MHD_YES;
  }
  if (strcmp (method, "POST") != 0)
    return answer (connection, MHD_HTTP_METHOD_NOT_ALLOWED);
  return answer (connection, receive (data, connection, body));
}

static void completed (void *data, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode code)
{
  (void) data, (void) connection, (void) code;
  if (*state)
    g_byte_array_unref (*state);
}

/* life */

SimReceiver *sim_receiver_new (const ReceiverScript *script, GError **error)
{
  SimReceiver *receiver = g_new0 (SimReceiver, 1);
  receiver->script = script;
  g_mutex_init (&receiver->mutex);
  receiver->ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  receiver->secret = file_read_secret (script->secret_file, error);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons ((guint16) script->port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  if (receiver->secret)
    receiver->daemon
        = MHD_start_daemon (MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, handle, receiver,
                            MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, completed, receiver,
                            MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_SECONDS, MHD_OPTION_END);
  if (receiver->daemon == NULL) {
    if (receiver->secret)
      error_set (error, ERROR_RECONFIGURE, "receiver %s: port %d can't be listened on", script->id, script->port);
    sim_receiver_free (receiver);
    return NULL;
  }
  receiver->port = MHD_get_daemon_info (receiver->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
  return receiver;
}

int sim_receiver_port (const SimReceiver *receiver)
{
  return receiver->port;
}

void sim_receiver_fail (SimReceiver *receiver, guint count, int status)
{
  g_mutex_lock (&receiver->mutex);
  receiver->failing = count;
  receiver->failing_status = status;
  g_mutex_unlock (&receiver->mutex);
}

ReceiverCounts sim_receiver_counts (SimReceiver *receiver)
{
  g_mutex_lock (&receiver->mutex);
  ReceiverCounts counts = receiver->counts;
  g_mutex_unlock (&receiver->mutex);
  return counts;
}

void sim_receiver_free (SimReceiver *receiver)
{
  if (receiver == NULL)
    return;
  if (receiver->daemon)
    MHD_stop_daemon (receiver->daemon);
  g_hash_table_unref (receiver->ids);
  g_mutex_clear (&receiver->mutex);
  g_free (receiver->secret);
  g_free (receiver);
}
