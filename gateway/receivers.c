#include "gateway/receivers.h"

#include <string.h>

#include "adapters/agencies/webhook_sender.h"
#include "adapters/center/center_connection.h"
#include "config/compare.h"
#include "gateway/core/log.h"

typedef struct {
  Receiver *receiver;
  DeliveryPort port;
  char *settings; /* of the center, as configured; a change opens the connection anew */
} Attached;

struct Receivers {
  Sharing *sharing;
  Clock *clock;
  WebhookSender *webhooks;
  GHashTable *centers; /* center id → CenterConnection, which its port frees */
  GPtrArray *attached; /* of Attached: centers first, then what uses their connections */
};

static void attached_free (Attached *attached)
{
  receiver_free (attached->receiver);
  g_free (attached->settings);
  g_free (attached);
}

Receivers *receivers_new (Sharing *sharing, Clock *clock)
{
  Receivers *receivers = g_new0 (Receivers, 1);
  receivers->sharing = sharing;
  receivers->clock = clock;
  receivers->webhooks = webhook_sender_new (clock);
  receivers->centers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  receivers->attached = g_ptr_array_new_with_free_func ((GDestroyNotify) attached_free);
  return receivers;
}

static DeliveryPort port_new (Receivers *receivers, const Site *site, const Receiver *receiver)
{
  if (receiver->kind == RECEIVER_AGENCY_WEBHOOK)
    return webhook_sender_port (receivers->webhooks, receiver->url, receiver->secret_file);
  CenterConnection *connection = g_hash_table_lookup (receivers->centers, receiver->center);
  if (receiver->kind == RECEIVER_AGENCY_TOPIC)
    return center_connection_agency_port (connection, receiver->agency);
  connection = center_connection_new (site_center (site, receiver->center), site->gateway.id, receivers->clock);
  g_hash_table_insert (receivers->centers, g_strdup (receiver->center), connection);
  return center_connection_port (connection);
}

static char *settings_of (const Site *site, const Receiver *receiver)
{
  if (receiver->kind == RECEIVER_AGENCY_WEBHOOK)
    return g_strdup_printf ("%s %s", receiver->url, receiver->secret_file);
  return site_item_json (site, SITE_CENTERS, receiver->center);
}

static void detach (Receivers *receivers, guint index)
{
  Attached *attached = receivers->attached->pdata[index];
  const DeliveryOperations *operations = attached->port.operations;
  sharing_detach (receivers->sharing, attached->receiver->name);
  operations->close (attached->port.self);
  operations->stop (attached->port.self);
  operations->free (attached->port.self);
  if (attached->receiver->kind == RECEIVER_CENTER)
    g_hash_table_remove (receivers->centers, attached->receiver->center);
  g_ptr_array_remove_index (receivers->attached, index);
}

static void attach (Receivers *receivers, const Site *site, Receiver *receiver)
{
  g_autoptr (GError) error = NULL;
  Attached *attached = g_new0 (Attached, 1);
  attached->receiver = receiver;
  attached->settings = settings_of (site, receiver);
  attached->port = port_new (receivers, site, receiver);
  g_ptr_array_add (receivers->attached, attached);
  if (!sharing_attach (receivers->sharing, receiver->name, attached->port, &error))
    log_error ("receiver %s: %s; its events wait in the outbox", receiver->name, error->message);
}

static gboolean is_wanted (const Attached *attached, const Site *site, GPtrArray *wanted)
{
  for (guint i = 0; i < wanted->len; i++) {
    const Receiver *receiver = wanted->pdata[i];
    if (strcmp (receiver->name, attached->receiver->name) != 0)
      continue;
    g_autofree char *settings = settings_of (site, receiver);
    return g_strcmp0 (settings, attached->settings) == 0;
  }
  return FALSE;
}

static gboolean is_attached (const Receivers *receivers, const Receiver *receiver)
{
  for (guint i = 0; i < receivers->attached->len; i++)
    if (strcmp (((Attached *) receivers->attached->pdata[i])->receiver->name, receiver->name) == 0)
      return TRUE;
  return FALSE;
}

static gint centers_first (gconstpointer a, gconstpointer b)
{
  const Receiver *one = *(Receiver *const *) a, *other = *(Receiver *const *) b;
  return (one->kind != RECEIVER_CENTER) - (other->kind != RECEIVER_CENTER);
}

void receivers_set_site (Receivers *receivers, Site *site)
{
  g_autoptr (GPtrArray) wanted = sharing_receivers (site);
  g_ptr_array_set_free_func (wanted, NULL);
  g_ptr_array_sort (wanted, centers_first);
  for (guint i = receivers->attached->len; i-- > 0;) /* what uses a center's connection goes before it */
    if (!is_wanted (receivers->attached->pdata[i], site, wanted))
      detach (receivers, i);
  for (guint i = 0; i < wanted->len; i++)
    if (is_attached (receivers, wanted->pdata[i]))
      receiver_free (wanted->pdata[i]);
    else
      attach (receivers, site, wanted->pdata[i]);
}

void receivers_free (Receivers *receivers)
{
  if (receivers == NULL)
    return;
  while (receivers->attached->len > 0)
    detach (receivers, receivers->attached->len - 1);
  webhook_sender_free (receivers->webhooks);
  g_ptr_array_unref (receivers->attached);
  g_hash_table_unref (receivers->centers);
  g_free (receivers);
}
