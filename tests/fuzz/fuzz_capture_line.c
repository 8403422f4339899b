/* A line of a capture, as somebody may have edited it: whatever is read is written and read again the same. */
#include "gateway/observe/capture_line.h"

#include <string.h>

#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RawMessage) message = capture_line_read ((const char *) bytes, size, &error);
  g_assert ((message == NULL) == (error != NULL));
  if (message == NULL || message->payload_size > RAW_PAYLOAD_MAX)
    return 0;
  g_autofree char *line = capture_line_write (message);
  g_autoptr (RawMessage) again = capture_line_read (line, strlen (line), NULL);
  if (again != NULL) { /* a year that RFC 3339 can't write is left out */
    g_assert (g_bytes_equal (again->payload, message->payload));
    g_assert_cmpstr (again->topic, ==, message->topic);
  }
  return 0;
}
