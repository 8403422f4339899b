#include "pipelines/live/websocket.h"

#include <string.h>

gsize websocket_header (guint8 header[WEBSOCKET_HEADER_MAX], WebSocketOpcode opcode, gsize size)
{
  header[0] = (guint8) (0x80 | opcode);
  if (size < 126) {
    header[1] = (guint8) size;
    return 2;
  }
  guint width = size <= 0xffff ? 2 : 8;
  header[1] = width == 2 ? 126 : 127;
  for (guint i = 0; i < width; i++)
    header[2 + i] = (guint8) ((guint64) size >> 8 * (width - 1 - i));
  return 2 + width;
}

GBytes *websocket_frame (WebSocketOpcode opcode, const void *bytes, gsize size)
{
  guint8 header[WEBSOCKET_HEADER_MAX];
  gsize header_size = websocket_header (header, opcode, size);
  guint8 *frame = g_malloc (header_size + size);
  memcpy (frame, header, header_size);
  if (size > 0)
    memcpy (frame + header_size, bytes, size);
  return g_bytes_new_take (frame, header_size + size);
}

GBytes *websocket_close_frame (guint16 code)
{
  return websocket_frame (WEBSOCKET_CLOSE, (guint8[]){ (guint8) (code >> 8), (guint8) code }, 2);
}

static guint length_width (const WebSocketParser *parser)
{
  guint length = parser->header[1] & 127;
  return length < 126 ? 0 : length == 126 ? 2 : 8;
}

/* How many bytes the header has, as far as it can be told. */
static guint header_wants (const WebSocketParser *parser)
{
  return parser->header_size < 2 ? 2 : 2 + length_width (parser) + 4;
}

/* The rules of 5.2 to 5.5 that a header can break. */
static guint16 check_header (WebSocketParser *parser)
{
  guint opcode = parser->header[0] & 15;
  gboolean is_final = parser->header[0] & 0x80, is_control = opcode >= 8;
  guint width = length_width (parser);
  guint64 length = width == 0 ? parser->header[1] & 127 : 0;

  for (guint i = 0; i < width; i++)
    length = length << 8 | parser->header[2 + i];
  if ((parser->header[0] & 0x70) != 0 || !(parser->header[1] & 0x80))
    return WEBSOCKET_CLOSE_PROTOCOL; /* an extension nobody agreed to, or an unmasked client */
  if ((opcode > 2 && opcode < 8) || opcode > 10 || (is_control && (!is_final || length > 125)))
    return WEBSOCKET_CLOSE_PROTOCOL;
  if (!is_control && (opcode == WEBSOCKET_CONTINUATION) != parser->is_fragmented)
    return WEBSOCKET_CLOSE_PROTOCOL;
  if (length > WEBSOCKET_MESSAGE_MAX)
    return WEBSOCKET_CLOSE_TOO_BIG;
  if (!is_control)
    parser->is_fragmented = !is_final;
  parser->expected = (gsize) length;
  return 0;
}

static void hand_on (WebSocketParser *parser, WebSocketReceived received, gpointer data)
{
  const guint8 *mask = parser->header + parser->header_size - 4;
  for (gsize i = 0; i < parser->payload_size; i++)
    parser->payload[i] ^= mask[i % 4];
  received (parser->header[0] & 15, parser->payload, parser->payload_size, data);
  parser->header_size = 0;
  parser->payload_size = parser->expected = 0;
}

guint16 websocket_parser_push (WebSocketParser *parser, const guint8 *bytes, gsize size, WebSocketReceived received,
                               gpointer data)
{
  while (size > 0) {
    gboolean in_header = parser->header_size < header_wants (parser);
    guint8 *to = in_header ? parser->header + parser->header_size : parser->payload + parser->payload_size;
    gsize wanted = in_header ? header_wants (parser) - parser->header_size : parser->expected - parser->payload_size;
    gsize taken = MIN (wanted, size);
    memcpy (to, bytes, taken);
    bytes += taken;
    size -= taken;
    if (in_header)
      parser->header_size += (guint) taken;
    else
      parser->payload_size += taken;
    if (parser->header_size < header_wants (parser))
      continue;
    guint16 code = in_header ? check_header (parser) : 0;
    if (code != 0)
      return code;
    if (parser->payload_size == parser->expected)
      hand_on (parser, received, data);
  }
  return 0;
}
