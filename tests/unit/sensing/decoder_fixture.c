#include "tests/unit/sensing/decoder_fixture.h"

#include <math.h>
#include <string.h>

DecoderFixture *decoder_fixture_new (const char *format)
{
  DecoderFixture *fixture = g_new0 (DecoderFixture, 1);
  fixture->sensor = g_new0 (Sensor, 1);
  fixture->sensor->metrics = g_ptr_array_new_with_free_func ((GDestroyNotify) metric_free);
  fixture->decoder = decoder_find (format);
  assert_non_null (fixture->decoder);
  fixture->decoded = decoded_new ();
  return fixture;
}

Metric *decoder_fixture_add (DecoderFixture *fixture, const char *path, ValueKind kind)
{
  Metric *metric = g_new0 (Metric, 1);
  metric->name = g_strdup_printf ("metric_%u", fixture->sensor->metrics->len);
  metric->path = g_strdup (path);
  metric->kind = kind;
  metric->scale = 1;
  g_ptr_array_add (fixture->sensor->metrics, metric);
  return metric;
}

static void named_value_clear (gpointer named)
{
  g_free (((NamedValue *) named)->name);
}

void decoder_fixture_name_value (Metric *metric, const char *name, double value)
{
  NamedValue named = { g_strdup (name), value };
  if (metric->values == NULL) {
    metric->values = g_array_new (FALSE, FALSE, sizeof (NamedValue));
    g_array_set_clear_func (metric->values, named_value_clear);
  }
  g_array_append_val (metric->values, named);
}

void decoder_fixture_free (DecoderFixture *fixture)
{
  decoded_free (fixture->decoded);
  if (fixture->prepared != NULL)
    fixture->decoder->release (fixture->prepared);
  sensor_free (fixture->sensor);
  g_free (fixture);
}

/* Exactly the bytes, in memory of their own, so that the sanitizer sees a read beyond. */
void fixture_decode (DecoderFixture *fixture, const char *topic, const void *payload, gsize size)
{
  g_autofree guint8 *bytes = size > 0 ? g_memdup2 (payload, size) : g_malloc (1);
  EncodedMessage message = { topic, bytes, size, DECODER_FIXTURE_NOW_US, FALSE };
  if (fixture->prepared == NULL)
    fixture->prepared = fixture->decoder->prepare (fixture->sensor, NULL);
  assert_non_null (fixture->prepared);
  decoded_reset (fixture->decoded);
  fixture->decoder->decode (fixture->prepared, &message, fixture->decoded);
}

void fixture_decode_text (DecoderFixture *fixture, const char *topic, const char *payload)
{
  fixture_decode (fixture, topic, payload, strlen (payload));
}

void fixture_decode_hex (DecoderFixture *fixture, const char *hex)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  for (; *hex != '\0'; hex += *hex == ' ' ? 1 : 2) {
    if (*hex == ' ')
      continue;
    guint8 byte = (guint8) (g_ascii_xdigit_value (hex[0]) * 16 + g_ascii_xdigit_value (hex[1]));
    g_byte_array_append (bytes, &byte, 1);
  }
  fixture_decode (fixture, "", bytes->data, bytes->len);
}

void fixture_decode_file (DecoderFixture *fixture, const char *topic, const char *name)
{
  g_autofree char *path = g_build_filename (g_getenv ("GRIDGATE_SOURCE_ROOT"), "tests/unit/sensing/fixtures", name, NULL);
  g_autofree char *payload = NULL;
  gsize size;
  assert_true (g_file_get_contents (path, &payload, &size, NULL));
  fixture_decode (fixture, topic, payload, size);
}

guint fixture_count (DecoderFixture *fixture, guint metric)
{
  guint count = 0;
  for (guint i = 0; i < fixture->decoded->readings->len; i++)
    count += g_array_index (fixture->decoded->readings, Reading, i).metric == metric;
  return count;
}

const Reading *fixture_reading (DecoderFixture *fixture, guint metric, guint nth)
{
  for (guint i = 0; i < fixture->decoded->readings->len; i++) {
    const Reading *reading = &g_array_index (fixture->decoded->readings, Reading, i);
    if (reading->metric == metric && nth-- == 0)
      return reading;
  }
  if (fixture->decoded->detail != NULL)
    print_message ("%s: %s\n", fixture->decoded->reason, fixture->decoded->detail);
  fail_msg ("metric %u has no such reading", metric);
  return NULL;
}

void fixture_gives (DecoderFixture *fixture, guint metric, double value)
{
  const Reading *reading = fixture_reading (fixture, metric, 0);
  assert_int_not_equal (reading->kind, VALUE_TEXT);
  if (fabs (reading->value - value) > 1e-9 * MAX (1, fabs (value)))
    fail_msg ("metric %u is %.15g, not %.15g", metric, reading->value, value);
}

void fixture_gives_text (DecoderFixture *fixture, guint metric, const char *text)
{
  const Reading *reading = fixture_reading (fixture, metric, 0);
  assert_int_equal (reading->kind, VALUE_TEXT);
  assert_string_equal (reading->text, text);
}
