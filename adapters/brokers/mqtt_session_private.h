/* mqtt_session_private.h: what mqtt_session.c (turns, time, begin and end) and mqtt_session_parse.c (what the broker sends) share. */
#pragma once

#include "adapters/brokers/mqtt_session.h"
#include "adapters/brokers/mqtt_window.h"

enum {
  MQTT_INPUT_BYTES = 256 * 1024, /* a packet that is taken is not larger, its properties among it */
  MQTT_PROBLEM_BYTES = 160,
};

struct MqttSession {
  BrokerConnection *connection;
  MqttSocket *socket;
  int protocol;
  gboolean is_logged_in;
  gint64 keep_alive_us;
  guint32 packet_bytes_max; /* what the broker takes */
  char problem[MQTT_PROBLEM_BYTES];

  guint8 *input;
  gsize at, filled;          /* what is in it and not yet parsed */
  gboolean is_readable;      /* the socket, as far as we know */
  gboolean is_stopped;       /* what is in the input waits: for room in the window, or at the receiver */
  gboolean is_held_up;       /* the receiver had no room */
  RawMessage *large;         /* whose packet is passed over */
  gsize large_left;

  GByteArray *output;
  gboolean is_blocked; /* the socket took no more */
  MqttWindow window;
  guint64 acknowledged;

  guint taken; /* messages of this turn */
  gint64 wall_us;
  gint64 sent_us, heard_us, ping_us, stopped_us; /* monotonic; when each last was */
  gint64 taken_us, taken_before_us, no_rest_until_us, told_us;
  gboolean is_after_rest;
};

/* Always FALSE: the end of the connection, and why. */
gboolean mqtt_session_end (MqttSession *session, const char *problem);

/* Takes the packets of the input, as far as they are whole and there is room for their messages. FALSE: it ends. */
gboolean mqtt_session_parse (MqttSession *session);
