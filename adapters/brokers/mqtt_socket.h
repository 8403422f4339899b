/* mqtt_socket.h: the bytes of a connection to a broker: TCP, with TLS by OpenSSL for mqtts://.
 *
 * With TLS the broker must prove who it is: a certificate of an authority of `ca_file` (the system's when there is none),
 * made out to the host of the URL.
 *
 * thread: one at a time, which does not get SIGPIPE. Only mqtt_socket_open waits. */
#pragma once

#include <gio/gio.h>

#include "gateway/model/site.h"

typedef struct MqttSocket MqttSocket;

/* Waits until it is connected, at most ten seconds for each address and for TLS. ERROR_RETRY: nobody is there;
 * ERROR_RECONFIGURE: one doesn't trust the other, or a file can't be read. The text is for people and ends a sentence. */
MqttSocket *mqtt_socket_open (const Broker *settings, GCancellable *cancellable, GError **error);

int mqtt_socket_fd (const MqttSocket *socket);

typedef enum { MQTT_SOCKET_OPEN, MQTT_SOCKET_LATER, MQTT_SOCKET_CLOSED } MqttSocketState;

/* `*done`: how many bytes were read or written. LATER: none for now. CLOSED: by the other side, or broken (`problem`). */
MqttSocketState mqtt_socket_read (MqttSocket *socket, guint8 *bytes, gsize size, gsize *done);
MqttSocketState mqtt_socket_write (MqttSocket *socket, const guint8 *bytes, gsize size, gsize *done);

/* Bytes were read from the network that mqtt_socket_read has not given yet: polling would not tell. */
gboolean mqtt_socket_has_more (const MqttSocket *socket);

/* Nothing more is written; the other side sees the end after all that was. */
void mqtt_socket_finish (MqttSocket *socket);

/* Why it is closed, for people; "" when the other side just went. Borrowed. */
const char *mqtt_socket_problem (const MqttSocket *socket);

void mqtt_socket_free (MqttSocket *socket);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MqttSocket, mqtt_socket_free)
