/* center_session.h: one MQTT connection to a center's broker, from connect to its end; what the connection comes back as
 * is a new session.
 *
 * Paho C (asynchronous) below. Its callbacks run with the library's global lock held, which a receiver of durable sensor
 * messages may hold for the length of a commit: so nothing here may be called on the store's thread, and the events only
 * note and signal.
 *
 * thread: the owner's; the events come from Paho's threads and not after center_session_free has returned. */
#pragma once

#include "gateway/model/site.h"

typedef struct CenterSession CenterSession;

typedef struct {
  const Center *center;
  const char *client_id;
  const char *will_topic, *will_payload; /* retained, QoS 1 */
} CenterSessionOptions;

typedef struct {
  gpointer data;
  void (*connected) (gpointer data);
  void (*ended) (gpointer data, const char *reason); /* it did not connect, or was lost */
  void (*acknowledged) (gpointer data, guint64 token, const char *problem); /* problem NULL: the broker has it */
  void (*received) (gpointer data, const char *topic, const char *payload, gsize size);
} CenterSessionEvents;

/* Begins to connect. NULL with an error: a file can't be read, the address is wrong. */
CenterSession *center_session_open (const CenterSessionOptions *options, const CenterSessionEvents *events,
                                    GError **error);

/* QoS 1. FALSE: the connection is gone, `ended` comes or came. */
gboolean center_session_publish (CenterSession *session, guint64 token, const char *topic, const char *payload,
                                 gboolean is_retained, gboolean is_cloud_event);
gboolean center_session_subscribe (CenterSession *session, const char *topic);

/* Says goodbye to the broker, so that the will is not sent; waits a second at most. */
void center_session_leave (CenterSession *session);

void center_session_free (CenterSession *session);
