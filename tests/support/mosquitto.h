/* mosquitto.h: a real broker for tests: its own free port on loopback, its own folder, ended with the fixture.
 *
 * Sessions are kept without a bound on their queues, as the broker configuration that we ship does. Anonymous clients are
 * allowed unless `extra` says otherwise.
 *
 * thread: the test's. */
#pragma once

#include <glib.h>

typedef struct Mosquitto Mosquitto;

/* Starts it and waits until it listens; fails the test otherwise. `folder` must outlive it. `extra`: lines for its
 * configuration file, or NULL. */
Mosquitto *mosquitto_start (const char *folder, const char *extra);

/* The same with TLS: makes `authority.pem` and a certificate for `host` in `folder`. Clients of ours need that file. */
Mosquitto *mosquitto_start_tls (const char *folder, const char *host);

int mosquitto_port (const Mosquitto *mosquitto);
const char *mosquitto_url (const Mosquitto *mosquitto); /* "mqtt://127.0.0.1:PORT" */

/* Ends it (SIGTERM writes its sessions down, SIGKILL doesn't); what is lost or kept is as with a broker that restarts. */
void mosquitto_end (Mosquitto *mosquitto, int signal_number);

/* Whether its log holds `text` by now. */
gboolean mosquitto_has_said (Mosquitto *mosquitto, const char *text);

/* After mosquitto_end: on the same port, with what it has written down. */
void mosquitto_start_again (Mosquitto *mosquitto);

/* Publishes and waits until the broker has it. `options` are further arguments of mosquitto_pub, NULL-terminated, or
 * NULL: "-r", "-q", "1"… */
void mosquitto_publish (Mosquitto *mosquitto, const char *topic, const char *payload, const char *const *options);

/* The same with one message a line of `lines`, in that order, at QoS `qos`. */
void mosquitto_publish_lines (Mosquitto *mosquitto, const char *topic, const char *qos, const char *lines);

/* The file in which it keeps sessions and retained messages; is read when it starts, written when it is ended by SIGTERM. */
char *mosquitto_store_path (const Mosquitto *mosquitto);

void mosquitto_free (Mosquitto *mosquitto);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Mosquitto, mosquitto_free)
