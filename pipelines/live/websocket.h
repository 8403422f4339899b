/* websocket.h: the framing of RFC 6455, a server's side of it, after the handshake.
 *
 * thread: one at a time. */
#pragma once

#include <glib.h>

typedef enum {
  WEBSOCKET_CONTINUATION = 0,
  WEBSOCKET_TEXT = 1,
  WEBSOCKET_BINARY = 2,
  WEBSOCKET_CLOSE = 8,
  WEBSOCKET_PING = 9,
  WEBSOCKET_PONG = 10,
} WebSocketOpcode;

enum {
  WEBSOCKET_HEADER_MAX = 10,
  WEBSOCKET_MESSAGE_MAX = 4096, /* what a client may say in one frame: live viewers have nothing to say */
  WEBSOCKET_CLOSE_NORMAL = 1000,
  WEBSOCKET_CLOSE_GOING_AWAY = 1001,
  WEBSOCKET_CLOSE_PROTOCOL = 1002,
  WEBSOCKET_CLOSE_TOO_BIG = 1009,
  WEBSOCKET_CLOSE_RESTART = 1012,
};

/* Writes the header of an unmasked, unfragmented frame (5.2); returns its size. */
gsize websocket_header (guint8 header[WEBSOCKET_HEADER_MAX], WebSocketOpcode opcode, gsize size);

/* A whole frame. */
GBytes *websocket_frame (WebSocketOpcode opcode, const void *bytes, gsize size);
GBytes *websocket_close_frame (guint16 code);

typedef struct {
  guint8 header[14];
  guint header_size;
  guint8 payload[WEBSOCKET_MESSAGE_MAX];
  gsize payload_size, expected; /* expected: bytes of payload, once the header is whole */
  gboolean is_fragmented;
} WebSocketParser;

/* A client's frame, unmasked; `bytes` is good until it returns. */
typedef void (*WebSocketReceived) (WebSocketOpcode opcode, const guint8 *bytes, gsize size, gpointer data);

/* Takes what was read. Returns 0, or the close code that the client has deserved: nothing more is parsed then. */
guint16 websocket_parser_push (WebSocketParser *parser, const guint8 *bytes, gsize size, WebSocketReceived received,
                               gpointer data);
