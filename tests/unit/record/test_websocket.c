#include <string.h>

#include "pipelines/live/websocket.h"
#include "tests/support/test.h"

typedef struct {
  guint frames;
  WebSocketOpcode opcode;
  GString *text;
} Heard;

static void hear (WebSocketOpcode opcode, const guint8 *bytes, gsize size, gpointer data)
{
  Heard *heard = data;
  heard->frames++;
  heard->opcode = opcode;
  g_string_append_len (heard->text, (const char *) bytes, (gssize) size);
}

static guint16 push (const guint8 *bytes, gsize size, gsize step, Heard *heard)
{
  g_autofree WebSocketParser *parser = g_new0 (WebSocketParser, 1);
  for (gsize at = 0; at < size; at += step) {
    g_autofree guint8 *piece = g_memdup2 (bytes + at, MIN (step, size - at));
    guint16 code = websocket_parser_push (parser, piece, MIN (step, size - at), hear, heard);
    if (code != 0)
      return code;
  }
  return 0;
}

static void a_masked_frame_is_read_however_it_is_cut (void **state)
{
  (void) state;
  const guint8 hello[] = { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, /* RFC 6455 5.7 */
                           0x89, 0x80, 1, 2, 3, 4 };
  for (gsize step = 1; step <= sizeof hello; step++) {
    Heard heard = { .text = g_string_new (NULL) };
    assert_int_equal (push (hello, sizeof hello, step, &heard), 0);
    assert_int_equal (heard.frames, 2);
    assert_int_equal (heard.opcode, WEBSOCKET_PING);
    assert_string_equal (heard.text->str, "Hello");
    g_string_free (heard.text, TRUE);
  }
}

static void what_breaks_the_rules_is_told_its_close_code (void **state)
{
  (void) state;
  static const struct {
    guint8 bytes[14];
    gsize size;
    guint16 code;
  } cases[] = {
    { { 0x81, 0x05, 1, 2, 3, 4, 5 }, 7, WEBSOCKET_CLOSE_PROTOCOL },                            /* unmasked */
    { { 0xc1, 0x80, 1, 2, 3, 4 }, 6, WEBSOCKET_CLOSE_PROTOCOL },                               /* compressed */
    { { 0x83, 0x80, 1, 2, 3, 4 }, 6, WEBSOCKET_CLOSE_PROTOCOL },                               /* opcode 3 */
    { { 0x09, 0x80, 1, 2, 3, 4 }, 6, WEBSOCKET_CLOSE_PROTOCOL },                               /* a ping in pieces */
    { { 0x89, 0xfe, 0, 126, 1, 2, 3, 4 }, 8, WEBSOCKET_CLOSE_PROTOCOL },                       /* a long ping */
    { { 0x80, 0x80, 1, 2, 3, 4 }, 6, WEBSOCKET_CLOSE_PROTOCOL },                               /* continues nothing */
    { { 0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4 }, 8, WEBSOCKET_CLOSE_TOO_BIG },
    { { 0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4 }, 14, WEBSOCKET_CLOSE_TOO_BIG },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    Heard heard = { .text = g_string_new (NULL) };
    assert_int_equal (push (cases[i].bytes, cases[i].size, 1, &heard), cases[i].code);
    assert_int_equal (heard.frames, 0);
    g_string_free (heard.text, TRUE);
  }
}

static void our_headers_have_the_shortest_length (void **state)
{
  (void) state;
  guint8 header[WEBSOCKET_HEADER_MAX];
  assert_int_equal (websocket_header (header, WEBSOCKET_BINARY, 125), 2);
  assert_memory_equal (header, "\x82\x7d", 2);
  assert_int_equal (websocket_header (header, WEBSOCKET_BINARY, 126), 4);
  assert_memory_equal (header, "\x82\x7e\0\x7e", 4);
  assert_int_equal (websocket_header (header, WEBSOCKET_TEXT, 65535), 4);
  assert_int_equal (websocket_header (header, WEBSOCKET_TEXT, 65536), 10);
  assert_memory_equal (header, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_masked_frame_is_read_however_it_is_cut),
    cmocka_unit_test (what_breaks_the_rules_is_told_its_close_code),
    cmocka_unit_test (our_headers_have_the_shortest_length),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
