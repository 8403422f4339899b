/* center_connection_private.h: what the two files of the connection share: center_queues.c notes and signals, on any
 * thread; center_connection.c does the work, on the connection's own.
 *
 * thread: see each field. */
#pragma once

#include "adapters/center/center_connection.h"
#include "adapters/center/center_session.h"


typedef enum { SENT_EVENT, SENT_STATE, SENT_REPLY, SENT_STATUS } SentKind;
typedef enum { PHASE_DOWN, PHASE_CONNECTING, PHASE_UP } Phase;

typedef struct {
  CenterConnection *connection;
  char *agency; /* NULL: the center's own */
  DeliverySink sink;
  gboolean is_open;
} Port;

/* Something to publish, waiting or on its way. */
typedef struct {
  SentKind kind;
  Port *port;            /* events */
  char *event;           /* its id; for states the key */
  char *topic, *payload; /* topic below the gateway's prefix */
  gint64 at_us;
} Outgoing;

typedef struct {
  guint64 token;
  char *problem; /* NULL: the broker has it */
} Acknowledgement;

typedef struct {
  gboolean is_command; /* else an acknowledgement of the center's */
  char *payload;
  gsize size;
} Incoming;

struct CenterConnection {
  Center *center; /* ours */
  char *gateway, *prefix, *since;
  Port own;
  GPtrArray *ports; /* of Port: agencies */

  GMutex mutex; /* over what follows; never held across a call into Paho or a sink */
  GCond changed;
  gboolean is_stopping;
  GQueue events, replies; /* of Outgoing */
  GHashTable *states;     /* topic → payload, NULL: to be emptied */
  GHashTable *dirty;      /* set of topics */
  GQueue acknowledgements, incoming;
  gboolean has_connected, has_ended;
  char *end_reason;
  Phase phase;

  GThread *thread; /* what follows is its own */
  CenterSession *session;
  GHashTable *in_flight; /* token → Outgoing */
  guint64 last_token;
  gboolean is_leaving;
  guint failures;
  char *last_reason; /* of not being connected */
  gint64 next_connect_us, up_since_us;
};

void center_outgoing_free (gpointer outgoing);
void center_acknowledgement_free (gpointer acknowledgement);
void center_incoming_free (gpointer incoming);

/* The events of a session; thread: Paho's. */
void center_note_connected (gpointer connection);
void center_note_ended (gpointer connection, const char *reason);
void center_note_acknowledged (gpointer connection, guint64 token, const char *problem);
void center_note_received (gpointer connection, const char *topic, const char *payload, gsize size);

/* The operations that all ports share; thread: any. `port` is a Port. */
gboolean center_port_deliver (gpointer port, const char *kind, const char *event, const char *payload);
void center_port_state (gpointer port, const char *topic, const char *payload);
void center_port_reply (gpointer port, const char *payload);
void center_port_close (gpointer port);
