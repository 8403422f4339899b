/* wire.h: one byte connection over TCP, plain or in TLS 1.2 or 1.3, for both ends.
 *
 * A plain connection costs one recv or send and the check of a pointer. In TLS, a read takes whole records for as long as one
 * of 16 KiB fits in, so that nothing stays inside where epoll doesn't see it; a send that the socket couldn't take must be
 * tried again with the same bytes (and maybe more behind them) before any others: wire_is_committed tells.
 *
 * The descriptor stays the owner's, and must not block; the process must ignore SIGPIPE.
 *
 * thread: a wire is its loop's. A context may be shared by threads. */
#pragma once

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "pipelines/rtp/wire_context.h"

enum { WIRE_READ_MIN = 16 * 1024 };

typedef struct WireTls WireTls;

typedef struct {
  int fd;
  WireTls *tls; /* NULL: plain */
} Wire;

/* For the three below: like recv and send, -1 with errno set, EAGAIN included; in TLS, wire_problem says more. */
gssize wire_tls_read (Wire *wire, void *bytes, gsize size);
gssize wire_tls_send (Wire *wire, const void *bytes, gsize size);
gssize wire_tls_send_parts (Wire *wire, const struct iovec *parts, guint count);

static inline void wire_init (Wire *wire, int fd)
{
  *wire = (Wire){ .fd = fd };
}

/* From now on in TLS: as a client of `host`, or as a server. The context is used on. */
gboolean wire_start_client (Wire *wire, WireContext *context, const char *host, GError **error);
gboolean wire_start_server (Wire *wire, WireContext *context, GError **error);

typedef enum { WIRE_OPEN, WIRE_WAITS_TO_READ, WIRE_WAITS_TO_WRITE, WIRE_BROKEN } WireState;

/* Goes on with the handshake; a plain wire is open. WIRE_BROKEN sets `error`: ERROR_RECONFIGURE when a person must act, for
 * it doesn't trust the other side, is not trusted, or finds no TLS there; else ERROR_RETRY. */
WireState wire_handshake (Wire *wire, GError **error);

/* At least WIRE_READ_MIN bytes of room. 0: the other side has closed. */
static inline gssize wire_read (Wire *wire, void *bytes, gsize size)
{
  if (G_LIKELY (wire->tls == NULL))
    return recv (wire->fd, bytes, size, MSG_DONTWAIT);
  return wire_tls_read (wire, bytes, size);
}

static inline gssize wire_send (Wire *wire, const void *bytes, gsize size)
{
  if (G_LIKELY (wire->tls == NULL))
    return send (wire->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  return wire_tls_send (wire, bytes, size);
}

static inline gssize wire_send_parts (Wire *wire, struct iovec *parts, guint count)
{
  if (G_LIKELY (wire->tls == NULL)) {
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
    return sendmsg (wire->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  return wire_tls_send_parts (wire, parts, count);
}

/* The bytes that the last send couldn't get rid of are encrypted already: the next send must begin with them. */
gboolean wire_is_committed (const Wire *wire);

/* What the last -1 was about, for people; valid until the next call, and only right after it. */
const char *wire_problem (const Wire *wire);

/* Says goodbye as far as that takes no waiting, and frees what TLS held. Not the descriptor. */
void wire_finish (Wire *wire);
