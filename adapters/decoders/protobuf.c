#include "adapters/decoders/protobuf.h"

#include <string.h>

static guint64 take_varint (ByteReader *reader)
{
  guint64 value = 0;
  for (guint shift = 0; shift < 64; shift += 7) {
    guint8 byte = (guint8) byte_reader_big (reader, 1);
    value |= (guint64) (byte & 0x7f) << shift;
    if (byte < 0x80)
      return value;
  }
  reader->is_short = TRUE; /* over ten bytes */
  return 0;
}

static void take_bytes (ByteReader *reader, ProtobufField *field)
{
  guint64 size = take_varint (reader);
  const guint8 *bytes = byte_reader_take (reader, size);
  field->bytes = (ByteReader){ bytes, bytes != NULL ? bytes + size : NULL, FALSE };
}

gboolean protobuf_next (ByteReader *reader, ProtobufField *field)
{
  if (reader->is_short || byte_reader_left (reader) == 0)
    return FALSE;
  guint64 key = take_varint (reader);
  *field = (ProtobufField){ .number = (guint) (key >> 3), .type = key & 7 };
  switch (field->type) {
  case WIRE_VARINT:
    field->value = take_varint (reader);
    break;
  case WIRE_64_BITS:
    field->value = byte_reader_little (reader, 8);
    break;
  case WIRE_32_BITS:
    field->value = byte_reader_little (reader, 4);
    break;
  case WIRE_BYTES:
    take_bytes (reader, field);
    break;
  default:
    reader->is_short = TRUE;
  }
  if (key >> 3 == 0 || key >> 3 > G_MAXUINT32 >> 3)
    reader->is_short = TRUE;
  return !reader->is_short;
}

double protobuf_double (const ProtobufField *field)
{
  double number;
  memcpy (&number, &field->value, sizeof number);
  return number;
}

float protobuf_float (const ProtobufField *field)
{
  guint32 bits = (guint32) field->value;
  float number;
  memcpy (&number, &bits, sizeof number);
  return number;
}

static void put_varint (GByteArray *message, guint64 value)
{
  do {
    guint8 byte = (guint8) (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
    g_byte_array_append (message, &byte, 1);
    value >>= 7;
  } while (value != 0);
}

void protobuf_put_varint (GByteArray *message, guint number, guint64 value)
{
  put_varint (message, (guint64) number << 3 | WIRE_VARINT);
  put_varint (message, value);
}

void protobuf_put_bytes (GByteArray *message, guint number, const void *bytes, gsize size)
{
  put_varint (message, (guint64) number << 3 | WIRE_BYTES);
  put_varint (message, size);
  g_byte_array_append (message, bytes, (guint) size);
}
