#include "adapters/decoders/cbor.h"

#include <math.h>
#include <string.h>

#include "adapters/decoders/byte_reader.h"

enum { DEPTH_MAX = 16, BREAK = 0xff };
enum { MAJOR_UNSIGNED, MAJOR_NEGATIVE, MAJOR_BYTES, MAJOR_TEXT, MAJOR_ARRAY, MAJOR_MAP, MAJOR_TAG, MAJOR_SIMPLE };
enum { TAG_DECIMAL_FRACTION = 4, TAG_BIGFLOAT = 5 };

typedef struct {
  guint major, minor;
  guint64 argument;
  gboolean is_indefinite;
} Head;

static json_t *take_item (ByteReader *reader, guint depth);

/* RFC 8949 3: three bits of kind, five of argument or of how many bytes the argument has. */
static gboolean take_head (ByteReader *reader, Head *head)
{
  guint first = (guint) byte_reader_big (reader, 1);
  *head = (Head){ first >> 5, first & 31, first & 31, FALSE };
  if (head->minor >= 24 && head->minor <= 27)
    head->argument = byte_reader_big (reader, 1u << (head->minor - 24));
  head->is_indefinite = head->minor == 31;
  gboolean may_be_indefinite = head->major >= MAJOR_BYTES && head->major <= MAJOR_MAP;
  return !reader->is_short && (head->minor < 28 || (head->is_indefinite && may_be_indefinite));
}

static gboolean at_break (ByteReader *reader)
{
  if (byte_reader_left (reader) == 0 || *reader->at != BREAK)
    return FALSE;
  reader->at++;
  return TRUE;
}

static gboolean take_chunk (ByteReader *reader, guint64 size, GString *text)
{
  const guint8 *bytes = byte_reader_take (reader, size);
  if (bytes != NULL)
    g_string_append_len (text, (const char *) bytes, (gssize) size);
  return bytes != NULL;
}

/* A string, or the chunks of one of unknown length. */
static gboolean take_string (ByteReader *reader, const Head *head, GString *text)
{
  if (!head->is_indefinite)
    return take_chunk (reader, head->argument, text);
  Head chunk;
  while (!at_break (reader))
    if (!take_head (reader, &chunk) || chunk.major != head->major || chunk.is_indefinite
        || !take_chunk (reader, chunk.argument, text))
      return FALSE;
  return TRUE;
}

static json_t *base64url (const GString *bytes)
{
  g_autofree char *text = g_base64_encode ((const guint8 *) bytes->str, bytes->len);
  g_strdelimit (text, "+", '-');
  g_strdelimit (text, "/", '_');
  text[strcspn (text, "=")] = '\0';
  return json_string (text);
}

static json_t *string_item (ByteReader *reader, const Head *head)
{
  g_autoptr (GString) text = g_string_new (NULL);
  if (!take_string (reader, head, text))
    return NULL;
  return head->major == MAJOR_BYTES ? base64url (text) : json_stringn (text->str, text->len); /* NULL unless UTF-8 */
}

static json_t *array_item (ByteReader *reader, const Head *head, guint depth)
{
  json_t *array = json_array ();
  for (guint64 i = 0; head->is_indefinite ? !at_break (reader) : i < head->argument; i++)
    if (json_array_append_new (array, take_item (reader, depth + 1)) != 0) {
      json_decref (array);
      return NULL;
    }
  return array;
}

/* A label as text; NULL when it is neither text nor a whole number. */
static char *take_label (ByteReader *reader)
{
  Head head;
  g_autoptr (GString) text = g_string_new (NULL);
  if (!take_head (reader, &head))
    return NULL;
  if (head.major == MAJOR_UNSIGNED)
    g_string_printf (text, "%" G_GUINT64_FORMAT, head.argument);
  else if (head.major == MAJOR_NEGATIVE && head.argument < G_MAXINT64)
    g_string_printf (text, "%" G_GINT64_FORMAT, -1 - (gint64) head.argument);
  else if (head.major != MAJOR_TEXT || !take_string (reader, &head, text) || strlen (text->str) != text->len)
    return NULL;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean take_member (ByteReader *reader, json_t *map, guint depth)
{
  g_autofree char *label = take_label (reader);
  json_t *value = label != NULL ? take_item (reader, depth + 1) : NULL;
  if (value == NULL)
    return FALSE;
  if (json_object_get (map, label) == NULL)
    return json_object_set_new (map, label, value) == 0;
  json_decref (value); /* RFC 8949 5.6: the same label twice is no valid map */
  return FALSE;
}

static json_t *map_item (ByteReader *reader, const Head *head, guint depth)
{
  json_t *map = json_object ();
  for (guint64 i = 0; head->is_indefinite ? !at_break (reader) : i < head->argument; i++)
    if (!take_member (reader, map, depth)) {
      json_decref (map);
      return NULL;
    }
  return map;
}

static json_t *number_item (double number)
{
  return isfinite (number) ? json_real (number) : json_null ();
}

/* RFC 8949 3.4.4: [exponent, mantissa]. */
static json_t *fraction_of (json_t *pair, double base)
{
  json_t *exponent = json_array_get (pair, 0), *mantissa = json_array_get (pair, 1);
  json_t *number = json_is_number (exponent) && json_is_number (mantissa)
    ? number_item (json_number_value (mantissa) * pow (base, json_number_value (exponent))) : NULL;
  json_decref (pair);
  return number;
}

static json_t *tagged_item (ByteReader *reader, const Head *head, guint depth)
{
  json_t *item = take_item (reader, depth + 1);
  if (item == NULL || (head->argument != TAG_DECIMAL_FRACTION && head->argument != TAG_BIGFLOAT))
    return item;
  return fraction_of (item, head->argument == TAG_BIGFLOAT ? 2 : 10);
}

/* RFC 8949, appendix D. */
static double half_of (guint64 bits)
{
  guint exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double value = exponent == 0 ? ldexp (mantissa, -24)
               : exponent < 31 ? ldexp (mantissa + 1024, (int) exponent - 25)
                               : (mantissa == 0 ? HUGE_VAL : NAN);
  return bits & 0x8000 ? -value : value;
}

static double single_of (guint64 bits)
{
  guint32 low = (guint32) bits;
  float value;
  memcpy (&value, &low, sizeof value);
  return (double) value;
}

static json_t *simple_item (const Head *head)
{
  double value;
  switch (head->minor) {
  case 20:
  case 21:
    return json_boolean (head->minor == 21);
  case 22:
  case 23:
    return json_null ();
  case 25:
    return number_item (half_of (head->argument));
  case 26:
    return number_item (single_of (head->argument));
  case 27:
    memcpy (&value, &head->argument, sizeof value);
    return number_item (value);
  default:
    return NULL;
  }
}

static json_t *take_item (ByteReader *reader, guint depth)
{
  Head head;
  if (depth > DEPTH_MAX || !take_head (reader, &head))
    return NULL;
  switch (head.major) {
  case MAJOR_UNSIGNED:
    return json_real ((double) head.argument);
  case MAJOR_NEGATIVE:
    return json_real (-1.0 - (double) head.argument);
  case MAJOR_BYTES:
  case MAJOR_TEXT:
    return string_item (reader, &head);
  case MAJOR_ARRAY:
    return array_item (reader, &head, depth);
  case MAJOR_MAP:
    return map_item (reader, &head, depth);
  case MAJOR_TAG:
    return tagged_item (reader, &head, depth);
  default:
    return simple_item (&head);
  }
}

json_t *cbor_to_json (const guint8 *bytes, gsize size, gsize *at)
{
  ByteReader reader = { bytes, bytes + size, FALSE };
  json_t *item = take_item (&reader, 0);
  *at = (gsize) (reader.at - bytes);
  if (item == NULL || *at == size)
    return item;
  json_decref (item);
  return NULL;
}
