/* sharing.h: who is told what: alerts and incidents as CloudEvents 1.0 for each center, and for each agency what its grants
 * cover, cut to them; through the outbox to the receivers' ports.
 *
 * It listens to the incident book, so an event is in the outbox in the same transaction as what it tells of. Ports get
 * only what is committed, at most DELIVERY_IN_FLIGHT_MAX at a time, alerts and incidents in turn; an event stays in the
 * outbox until its receiver has acknowledged it, so after a crash it may come again, with the same id.
 *
 * thread: any, unless it says otherwise; the work is done on the store's. */
#pragma once

#include "gateway/incident/incident_book.h"
#include "gateway/model/delivery_port.h"

typedef struct Sharing Sharing;

/* A way to a receiver that the site asks for. */
typedef enum { RECEIVER_CENTER, RECEIVER_AGENCY_TOPIC, RECEIVER_AGENCY_WEBHOOK } ReceiverKind;
typedef struct {
  char *name;   /* "center", "water@center", "water#1": in the outbox, receipts and metrics */
  ReceiverKind kind;
  char *center; /* the first two kinds */
  char *agency; /* the last two kinds */
  char *url, *secret_file; /* the last kind */
} Receiver;

/* What the site asks for, in its order: of Receiver. The wiring makes a port for each. */
GPtrArray *sharing_receivers (const Site *site);

/* Listens to `book`; make it before the first job. */
Sharing *sharing_new (Store *store, IncidentBook *book, Site *site);

/* Events for receivers that are gone, and events that an agency's grants no longer cover, are
 * withdrawn, with receipts; states of cameras and sensors that are gone are emptied. */
void sharing_set_site (Sharing *sharing, Site *site);

/* Opens `port` for the receiver of that name; the sharing uses it until sharing_detach returns. The caller keeps it, and
 * closes, stops and frees it after that. */
gboolean sharing_attach (Sharing *sharing, const char *receiver, DeliveryPort port, GError **error);

/* thread: any but the store's; waits. */
void sharing_detach (Sharing *sharing, const char *receiver);

/* The state of a camera or sensor as every center's broker retains it; `json` NULL when it is removed. */
void sharing_camera_state (Sharing *sharing, const char *camera, const char *json);
void sharing_sensor_state (Sharing *sharing, const char *sensor, const char *json);

/* After store_close, or with all ports detached. */
void sharing_free (Sharing *sharing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Sharing, sharing_free)

void receiver_free (Receiver *receiver);
