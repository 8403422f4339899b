#include "tests/unit/sensing/scripted_broker.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/test.h"

enum { WAIT_MS = 60000 };

struct ScriptedBroker {
  int listener, client;
  char *url;
  GByteArray *input; /* what was read and not yet expected */
  guint8 *body;
};

ScriptedBroker *scripted_broker_new (void)
{
  ScriptedBroker *broker = g_new0 (ScriptedBroker, 1);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  broker->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  broker->client = -1;
  assert_int_equal (bind (broker->listener, (struct sockaddr *) &address, size), 0);
  assert_int_equal (listen (broker->listener, 8), 0);
  assert_int_equal (getsockname (broker->listener, (struct sockaddr *) &address, &size), 0);
  broker->url = g_strdup_printf ("mqtt://127.0.0.1:%d", ntohs (address.sin_port));
  broker->input = g_byte_array_new ();
  return broker;
}

const char *scripted_broker_url (const ScriptedBroker *broker)
{
  return broker->url;
}

static void wait_for (int fd, short events)
{
  struct pollfd entry = { fd, events, 0 };
  assert_int_equal (poll (&entry, 1, WAIT_MS), 1);
}

void scripted_broker_hang_up (ScriptedBroker *broker)
{
  if (broker->client >= 0)
    close (broker->client);
  broker->client = -1;
  g_byte_array_set_size (broker->input, 0);
}

void scripted_broker_accept (ScriptedBroker *broker)
{
  scripted_broker_hang_up (broker);
  wait_for (broker->listener, POLLIN);
  broker->client = accept4 (broker->listener, NULL, NULL, SOCK_CLOEXEC);
  assert_true (broker->client >= 0);
}

/* A client that reads nothing more may leave it unsent. */
void scripted_broker_send (ScriptedBroker *broker, const void *bytes, gsize size)
{
  const guint8 *at = bytes;
  while (size > 0) {
    gssize sent = send (broker->client, at, size, MSG_NOSIGNAL);
    if (sent <= 0)
      return;
    at += sent;
    size -= (gsize) sent;
  }
}

void scripted_broker_send_hex (ScriptedBroker *broker, const char *hex)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  for (const char *at = hex; *at != '\0'; at++) {
    if (*at == ' ')
      continue;
    guint8 byte = (guint8) (g_ascii_xdigit_value (at[0]) << 4 | g_ascii_xdigit_value (at[1]));
    g_byte_array_append (bytes, &byte, 1);
    at++;
  }
  scripted_broker_send (broker, bytes->data, bytes->len);
}

void scripted_broker_publish (ScriptedBroker *broker, int protocol, guint8 flags, guint16 packet_id, const char *topic,
                              const char *payload)
{
  g_autoptr (GByteArray) packet = g_byte_array_new ();
  gsize topic_bytes = strlen (topic), payload_bytes = strlen (payload);
  gsize left = 2 + topic_bytes + ((flags & 6) != 0 ? 2 : 0) + (protocol == MQTT_5 ? 1 : 0) + payload_bytes;
  g_byte_array_append (packet, (const guint8[]){ (guint8) (MQTT_PUBLISH << 4 | flags) }, 1);
  for (; left > 0x7f; left >>= 7)
    g_byte_array_append (packet, (const guint8[]){ (guint8) (left | 0x80) }, 1);
  g_byte_array_append (packet, (const guint8[]){ (guint8) left, (guint8) (topic_bytes >> 8), (guint8) topic_bytes }, 3);
  g_byte_array_append (packet, (const guint8 *) topic, (guint) topic_bytes);
  if ((flags & 6) != 0)
    g_byte_array_append (packet, (const guint8[]){ (guint8) (packet_id >> 8), (guint8) packet_id }, 2);
  if (protocol == MQTT_5)
    g_byte_array_append (packet, (const guint8[]){ 0 }, 1);
  g_byte_array_append (packet, (const guint8 *) payload, (guint) payload_bytes);
  scripted_broker_send (broker, packet->data, packet->len);
}

/* FALSE at the end. */
static gboolean read_more (ScriptedBroker *broker)
{
  guint8 bytes[4096];
  wait_for (broker->client, POLLIN);
  gssize size = recv (broker->client, bytes, sizeof bytes, 0);
  if (size > 0)
    g_byte_array_append (broker->input, bytes, (guint) size);
  return size > 0;
}

static gsize packet_bytes (const ScriptedBroker *broker)
{
  gsize body = 0;
  for (guint i = 1; i < broker->input->len && i < 5; i++) {
    body |= (gsize) (broker->input->data[i] & 0x7f) << (7 * (i - 1));
    if (broker->input->data[i] < 0x80)
      return 1 + i + body <= broker->input->len ? 1 + i + body : 0;
  }
  return 0;
}

const guint8 *scripted_broker_expect (ScriptedBroker *broker, MqttType type, gsize *size)
{
  while (packet_bytes (broker) == 0)
    if (!read_more (broker))
      fail_msg ("the client has gone, expected was a packet of type %d", type);
  gsize whole = packet_bytes (broker);
  guint head = 2;
  while ((broker->input->data[head - 1] & 0x80) != 0)
    head++;
  assert_int_equal (broker->input->data[0] >> 4, type);
  g_free (broker->body);
  *size = whole - head;
  broker->body = g_malloc0 (*size + 1);
  memcpy (broker->body, broker->input->data + head, *size);
  g_byte_array_remove_range (broker->input, 0, (guint) whole);
  return broker->body;
}

void scripted_broker_expect_ack (ScriptedBroker *broker, MqttType type, guint16 packet_id)
{
  gsize size;
  const guint8 *body = scripted_broker_expect (broker, type, &size);
  assert_int_equal (size, 2);
  assert_int_equal (body[0] << 8 | body[1], packet_id);
}

void scripted_broker_answer (ScriptedBroker *broker, const char *hex)
{
  gsize size;
  scripted_broker_accept (broker);
  scripted_broker_expect (broker, MQTT_CONNECT, &size);
  scripted_broker_send_hex (broker, hex);
}

void scripted_broker_welcome (ScriptedBroker *broker, int protocol, gboolean session_present)
{
  gsize size;
  scripted_broker_accept (broker);
  const guint8 *connect = scripted_broker_expect (broker, MQTT_CONNECT, &size);
  assert_int_equal (connect[6], protocol);
  scripted_broker_send (broker, (const guint8[]){ 0x20, protocol == MQTT_5 ? 3 : 2, (guint8) session_present, 0, 0 },
                        protocol == MQTT_5 ? 5 : 4);
}

void scripted_broker_wait_for_end (ScriptedBroker *broker)
{
  while (read_more (broker))
    ;
}

void scripted_broker_free (ScriptedBroker *broker)
{
  if (broker == NULL)
    return;
  scripted_broker_hang_up (broker);
  close (broker->listener);
  g_byte_array_unref (broker->input);
  g_free (broker->body);
  g_free (broker->url);
  g_free (broker);
}
