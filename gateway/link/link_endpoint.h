/* link_endpoint.h: one end of the link on a GMainContext.
 *
 * The worker processes (media, vision) listen; gridgate connects, and connects again with back-off when they were away.
 * A listener keeps one peer: a newer one takes the older one's place (gridgate was killed and came back). When a connection
 * ends, every request that waits for a reply gets ERROR_RETRY.
 *
 * thread: the thread of the context that the endpoint was made with; link_endpoint_post, _post_request and _call from any. */
#pragma once

#include "gateway/link/link_message.h"

typedef struct LinkEndpoint LinkEndpoint;

/* A request or an event came in. A request is answered with link_endpoint_send, now or later (keep `message`: it is the
 * callback's to free). */
typedef void (*LinkReceived) (LinkEndpoint *endpoint, LinkMessage *message, gpointer data);

/* The other side came or went. */
typedef void (*LinkChanged) (LinkEndpoint *endpoint, gboolean is_connected, gpointer data);

/* `reply` is NULL when `error` is set; it is borrowed. Descriptors may be stolen from it. */
typedef void (*LinkReplied) (LinkMessage *reply, const GError *error, gpointer data);

/* `path` is replaced if it exists and nobody listens there; ERROR_RETRY when somebody does. */
LinkEndpoint *link_endpoint_listen (const char *path, LinkReceived received, LinkChanged changed, gpointer data,
                                    GError **error);

/* Connects now and, whenever it is not connected, again several times a second. */
LinkEndpoint *link_endpoint_connect (const char *path, LinkReceived received, LinkChanged changed, gpointer data);

gboolean link_endpoint_is_connected (const LinkEndpoint *endpoint);

/* Takes `message` (event or reply). FALSE when nobody is there or the socket stays full: the message is gone. */
gboolean link_endpoint_send (LinkEndpoint *endpoint, LinkMessage *message);

/* Takes `message`. `replied` is called exactly once, never from inside this call; `timeout_us` 0 means 10 s. */
void link_endpoint_request (LinkEndpoint *endpoint, LinkMessage *message, gint64 timeout_us, LinkReplied replied,
                            gpointer data);

/* Like send, from any thread: queued for the endpoint's context. */
void link_endpoint_post (LinkEndpoint *endpoint, LinkMessage *message);

/* thread: any but the endpoint's. A request whose reply nobody waits for. */
void link_endpoint_post_request (LinkEndpoint *endpoint, LinkMessage *message);

/* thread: any but the endpoint's, while its context runs. Takes `message`, waits for the reply, which the caller then
 * owns; NULL with an error. */
LinkMessage *link_endpoint_call (LinkEndpoint *endpoint, LinkMessage *message, gint64 timeout_us, GError **error);

/* The same; `look` is called some five times a second meanwhile, on the caller's thread: it may make the reply come sooner. */
typedef void (*LinkLook) (gpointer data);
LinkMessage *link_endpoint_call_looking (LinkEndpoint *endpoint, LinkMessage *message, gint64 timeout_us, LinkLook look,
                                         gpointer data, GError **error);

/* thread: any. The process at the other end, as the kernel says; 0 when nobody is there. */
int link_endpoint_peer_pid (const LinkEndpoint *endpoint);

/* Closes; waiting requests get their error first. NULL is taken. Not from inside one of its callbacks. */
void link_endpoint_free (LinkEndpoint *endpoint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LinkEndpoint, link_endpoint_free)
