/* What a browser sends on its WebSocket; the first byte says in pieces of what size it arrives. */
#include "pipelines/live/websocket.h"
#include "tests/fuzz/fuzz_target.h"

static void hear (WebSocketOpcode opcode, const guint8 *bytes, gsize size, gpointer data)
{
  guint *sum = data;
  g_assert (size <= WEBSOCKET_MESSAGE_MAX && (opcode < 8 || size <= 125));
  for (gsize i = 0; i < size; i++)
    *sum += bytes[i];
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  g_autofree WebSocketParser *parser = g_new0 (WebSocketParser, 1);
  guint sum = 0;
  size_t step = size > 0 ? (size_t) bytes[0] + 1 : 1;
  for (size_t at = 1; at < size; at += step)
    if (websocket_parser_push (parser, bytes + at, MIN (step, size - at), hear, &sum) != 0)
      break;
  return 0;
}
