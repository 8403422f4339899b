/* mqtt_broker_private.h: a connection to a broker as its own thread and the others share it: mqtt_broker.c (life, orders) and
 * mqtt_session.c (one connection over the network).
 *
 * Others leave orders under the mutex and wake the thread by an eventfd; the thread takes them once a turn. The mutex is never
 * held over a call. */
#pragma once

#include <gio/gio.h>

#include "adapters/brokers/mqtt_subscriptions.h"
#include "gateway/model/broker_port.h"

typedef struct {
  char *topic;
  GBytes *payload;
} MqttPublication;

/* What the thread is at; whoever has something new for it wakes it accordingly. */
typedef enum {
  MQTT_BUSY,    /* it will look */
  MQTT_RESTING, /* it will look in a few milliseconds (mqtt_session.h): soon enough for an acknowledgement */
  MQTT_WAITING,
} MqttDoing;

struct BrokerConnection {
  Broker *settings;
  char *client_id;
  BrokerHandlers handlers;
  GThread *thread;
  GCancellable *closing;
  int event_fd;

  GMutex mutex; /* over the orders and the status */
  MqttDoing doing;
  gboolean is_closing, is_wanted_new, is_resumed;
  GStrv wanted;            /* filters */
  GPtrArray *forgotten;    /* filters to unsubscribe */
  GPtrArray *publications; /* of MqttPublication */
  guint64 acknowledged;    /* receipt up to which messages may be acknowledged */
  gboolean is_acknowledged_new;
  BrokerStatus status;

  /* The thread's own */
  MqttSubscriptions *subscriptions;
  guint64 last_receipt;
  guint failures;
  int protocol; /* of the next attempt */
  gboolean is_protocol_known; /* the broker has spoken it, and another only where it refused MQTT 5 in words */
  gboolean is_5_refused;      /* in words, in this attempt */
};

typedef struct {
  gboolean is_closing, is_resumed;
  GStrv wanted;                        /* NULL: as before */
  GPtrArray *forgotten, *publications; /* NULL: none */
  guint64 acknowledged;
} MqttOrders;

void mqtt_broker_take_orders (BrokerConnection *connection, MqttOrders *orders);
void mqtt_orders_clear (MqttOrders *orders);

/* Until there are orders, one of `events` on `fd` (-1: none), or the time is over. Returns what poll says of `fd`. `is_rest`: only
 * the end of the connection is a reason to come back. */
short mqtt_broker_wait (BrokerConnection *connection, int fd, short events, gint64 wait_us, gboolean is_rest);

gboolean mqtt_broker_must_close (BrokerConnection *connection);

void mqtt_broker_set_state (BrokerConnection *connection, BrokerState state, const char *reason, const char *detail);
