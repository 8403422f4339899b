#include "adapters/brokers/mqtt_session_private.h"

#include <string.h>

#include "gateway/core/clock.h"

/* Messages */

/* FALSE: not now. */
static gboolean hand_over (MqttSession *session, RawMessage *message)
{
  BrokerConnection *connection = session->connection;
  if (message->is_redelivery && mqtt_window_holds (&session->window, message->packet_id))
    return TRUE; /* it was impatient: the one that waits is acknowledged */
  if (message->qos > 0 && mqtt_window_is_full (&session->window))
    return FALSE;
  message->receipt = message->qos > 0 ? connection->last_receipt + 1 : 0;
  message->receive_time_us = session->wall_us;
  BrokerAnswer answer = connection->handlers.received (connection->handlers.self, message);
  session->is_held_up = answer == BROKER_NO_ROOM;
  if (session->is_held_up)
    return FALSE;
  session->taken++;
  if (message->qos > 0)
    mqtt_window_add (&session->window, ++connection->last_receipt, message->packet_id, message->qos, answer == BROKER_TAKEN);
  return TRUE;
}

/* A topic that is no UTF-8 is nobody's, but must not keep the others from coming. */
static RawMessage *message_of (const MqttSession *session, const MqttPublish *publish, const guint8 *payload, gsize size)
{
  gboolean is_text = g_utf8_validate_len (publish->topic, publish->topic_bytes, NULL);
  g_autofree char *mended = is_text ? NULL : g_utf8_make_valid (publish->topic, (gssize) publish->topic_bytes);
  RawMessage *message = raw_message_new_of (session->connection->settings->id, is_text ? publish->topic : mended,
                                            is_text ? publish->topic_bytes : strlen (mended), payload, size);
  message->qos = publish->qos;
  message->packet_id = publish->packet_id;
  message->is_retained = publish->is_retained;
  message->is_redelivery = publish->is_redelivery;
  return message;
}

typedef enum { STEP_ON, STEP_MORE, STEP_STOP, STEP_END } Step; /* taken; bytes are lacking; not now; end of the connection */

static Step end_step (MqttSession *session, const char *problem)
{
  mqtt_session_end (session, problem);
  return STEP_END;
}

static Step pass_over_large (MqttSession *session)
{
  gsize passed = MIN (session->large_left, session->filled - session->at);
  session->at += passed;
  session->large_left -= passed;
  if (session->large_left > 0)
    return STEP_MORE;
  if (!hand_over (session, session->large))
    return STEP_STOP;
  g_clear_pointer (&session->large, raw_message_unref);
  return STEP_ON;
}

/* For want of room its contents are not kept: a payload of more than is taken, or properties without measure. */
static Step begin_large (MqttSession *session, const MqttHead *head, const MqttPublish *publish)
{
  gsize payload_bytes = head->body_bytes - publish->payload_at;
  session->large_left = head->head_bytes + head->body_bytes;
  session->large = message_of (session, publish, NULL, payload_bytes > RAW_PAYLOAD_MAX ? payload_bytes : session->large_left);
  return STEP_ON;
}

static Step take_publish (MqttSession *session, const MqttHead *head, const guint8 *body, gsize size)
{
  MqttPublish publish;
  MqttProgress progress = mqtt_publish_read (head, body, MIN (size, head->body_bytes), session->protocol, &publish);
  gboolean is_beyond = head->head_bytes + head->body_bytes > MQTT_INPUT_BYTES; /* then its properties are not looked at */
  if (progress != MQTT_WHOLE && !(is_beyond && publish.payload_at > 0))
    return progress == MQTT_MORE ? STEP_MORE : end_step (session, "the broker sent a PUBLISH that is none");
  gsize payload_bytes = head->body_bytes - publish.payload_at;
  if (is_beyond || payload_bytes > RAW_PAYLOAD_MAX)
    return begin_large (session, head, &publish);
  if (size < head->body_bytes)
    return STEP_MORE;
  g_autoptr (RawMessage) message = message_of (session, &publish, body + publish.payload_at, payload_bytes);
  if (!hand_over (session, message))
    return STEP_STOP;
  session->at += head->head_bytes + head->body_bytes;
  return STEP_ON;
}

/* Other packets */

static const char *text_of_disconnect (guint8 reason)
{
  static const struct {
    guint8 reason;
    const char *text;
  } list[] = {
    { 0x81, "the broker says that a packet of ours is malformed" },
    { 0x82, "the broker says that we don't keep to MQTT" },
    { 0x8b, "the broker is being shut down" },
    { 0x8d, "the broker didn't hear from us in time" },
    { 0x8e, "another client has come with our client id: give one of them another `client_id`" },
    { 0x93, "the broker says that too many messages are unacknowledged" },
    { 0x98, "somebody at the broker ended it" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (list); i++)
    if (list[i].reason == reason)
      return list[i].text;
  return "the broker ended it";
}

static Step take_disconnect (MqttSession *session, const MqttHead *head, const guint8 *body)
{
  guint8 reason;
  if (!mqtt_disconnect_read (head, body, session->protocol, &reason))
    return end_step (session, "the broker sent a DISCONNECT that is none");
  return end_step (session, text_of_disconnect (reason));
}

static Step take_release (MqttSession *session, const MqttHead *head, const guint8 *body)
{
  guint16 packet_id;
  guint8 reason;
  if (!mqtt_ack_read (head, body, session->protocol, &packet_id, &reason))
    return end_step (session, "the broker sent a PUBREL that is none");
  mqtt_ack_write (session->output, MQTT_PUBCOMP, packet_id);
  return STEP_ON;
}

/* An answer to a request that nobody made is one of a former connection's, for all we know. */
static Step take_suback (MqttSession *session, const MqttHead *head, const guint8 *body)
{
  MqttSuback suback;
  const char *refused;
  BrokerConnection *connection = session->connection;
  if (!mqtt_suback_read (head, body, session->protocol, &suback))
    return end_step (session, "the broker sent an answer to a subscription that is none");
  mqtt_subscriptions_answer (connection->subscriptions, head->type, &suback);
  if (!mqtt_subscriptions_settled (connection->subscriptions, &refused))
    return STEP_ON;
  g_autofree char *detail = refused != NULL ? g_strdup_printf ("the broker doesn't let us subscribe to %s", refused)
                                            : g_strdup (connection->settings->url);
  mqtt_broker_set_state (connection, BROKER_CONNECTED, refused != NULL ? "subscription_refused" : NULL, detail);
  return STEP_ON;
}

static Step take_other (MqttSession *session, const MqttHead *head, const guint8 *body)
{
  switch (head->type) {
  case MQTT_PUBREL:
    return take_release (session, head, body);
  case MQTT_SUBACK:
  case MQTT_UNSUBACK:
    return take_suback (session, head, body);
  case MQTT_PINGRESP:
    return STEP_ON;
  case MQTT_DISCONNECT:
    return take_disconnect (session, head, body);
  default:
    return end_step (session, "the broker sent a packet that has no place here");
  }
}

static Step take_packet (MqttSession *session)
{
  MqttHead head;
  if (session->large != NULL)
    return pass_over_large (session);
  const guint8 *bytes = session->input + session->at;
  gsize size = session->filled - session->at;
  MqttProgress progress = mqtt_head_read (bytes, size, &head);
  if (progress != MQTT_WHOLE)
    return progress == MQTT_MORE ? STEP_MORE : end_step (session, "what the broker sends is no MQTT");
  if (head.type == MQTT_PUBLISH)
    return take_publish (session, &head, bytes + head.head_bytes, size - head.head_bytes);
  gsize whole = head.head_bytes + head.body_bytes;
  if (whole > MQTT_INPUT_BYTES)
    return end_step (session, "the broker sent a packet that is too large for its kind");
  if (size < whole)
    return STEP_MORE;
  session->at += whole;
  return take_other (session, &head, bytes + head.head_bytes);
}

gboolean mqtt_session_parse (MqttSession *session)
{
  Step step = STEP_ON;
  session->wall_us = clock_wall_us (clock_system ());
  while (step == STEP_ON && (session->at < session->filled || session->large != NULL))
    step = take_packet (session);
  session->is_stopped = step == STEP_STOP;
  return step != STEP_END;
}

