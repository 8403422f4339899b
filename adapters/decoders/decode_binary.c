/* binary: numbers at fixed places of the payload, as meters and loggers send them: each metric names its byte, its encoding,
 * its order of bytes and, for parts of a number, its bits. */
#include <math.h>
#include <string.h>

#include "adapters/decoders/byte_reader.h"
#include "adapters/decoders/decoders.h"
#include "gateway/core/error.h"

typedef enum { NUMBER_UNSIGNED, NUMBER_SIGNED, NUMBER_FLOAT, NUMBER_BCD } NumberKind;

static const struct {
  guint size;
  NumberKind kind;
} encodings[] = {
  [BINARY_U8] = { 1, NUMBER_UNSIGNED },  [BINARY_I8] = { 1, NUMBER_SIGNED },    [BINARY_U16] = { 2, NUMBER_UNSIGNED },
  [BINARY_I16] = { 2, NUMBER_SIGNED },   [BINARY_U24] = { 3, NUMBER_UNSIGNED }, [BINARY_I24] = { 3, NUMBER_SIGNED },
  [BINARY_U32] = { 4, NUMBER_UNSIGNED }, [BINARY_I32] = { 4, NUMBER_SIGNED },   [BINARY_U64] = { 8, NUMBER_UNSIGNED },
  [BINARY_I64] = { 8, NUMBER_SIGNED },   [BINARY_F32] = { 4, NUMBER_FLOAT },    [BINARY_F64] = { 8, NUMBER_FLOAT },
  [BINARY_BCD8] = { 1, NUMBER_BCD },     [BINARY_BCD16] = { 2, NUMBER_BCD },    [BINARY_BCD32] = { 4, NUMBER_BCD },
};

static gpointer binary_format_prepare (const Sensor *sensor, GError **error)
{
  (void) error;
  return (gpointer) sensor;
}

/* Words of 16 bits come lowest first, the bytes of a word highest first: what Modbus devices call "CDAB". */
static guint64 word_swapped (ByteReader *reader, guint size)
{
  guint64 number = 0;
  for (guint at = 0; at < size; at += 2)
    number |= byte_reader_big (reader, 2) << (8 * at);
  return number;
}

static guint64 take_number (ByteReader *reader, BinaryOrder order, guint size)
{
  if (order == BINARY_LITTLE)
    return byte_reader_little (reader, size);
  return order == BINARY_WORD_SWAPPED && size % 2 == 0 ? word_swapped (reader, size) : byte_reader_big (reader, size);
}

static double float_of (guint64 bits, guint size)
{
  if (size == 8) {
    double number;
    memcpy (&number, &bits, sizeof number);
    return number;
  }
  guint32 low = (guint32) bits;
  float number;
  memcpy (&number, &low, sizeof number);
  return (double) number;
}

/* Not a number when a digit is none. */
static double bcd_of (guint64 bits, guint size)
{
  double number = 0;
  for (guint digit = 2 * size; digit-- > 0;) {
    guint value = bits >> (4 * digit) & 15;
    if (value > 9)
      return NAN;
    number = 10 * number + value;
  }
  return number;
}

static double number_of (const BinaryField *field, guint64 bits)
{
  guint size = encodings[field->encoding].size;
  if (field->bits > 0)
    return (double) (bits >> field->bit & (field->bits < 64 ? (G_GUINT64_CONSTANT (1) << field->bits) - 1 : G_MAXUINT64));
  switch (encodings[field->encoding].kind) {
  case NUMBER_SIGNED:
    return (double) sign_extend (bits, size);
  case NUMBER_FLOAT:
    return float_of (bits, size);
  case NUMBER_BCD:
    return bcd_of (bits, size);
  default:
    return (double) bits;
  }
}

static void read_field (const Sensor *sensor, guint index, const EncodedMessage *message, Decoded *decoded)
{
  const Metric *metric = sensor->metrics->pdata[index];
  const BinaryField *field = &metric->field;
  gint64 byte = field->byte >= 0 ? field->byte : (gint64) message->size + field->byte;
  guint size = encodings[field->encoding].size;
  if (byte < 0 || (guint64) byte + size > message->size) {
    decoded_miss (decoded, REASON_WRONG_LENGTH, "%s lies at byte %d of %" G_GSIZE_FORMAT, metric->name, field->byte,
                  message->size);
    return;
  }
  ByteReader reader = { message->payload + byte, message->payload + message->size, FALSE };
  Reading reading = { .metric = index, .sequence = -1 };
  g_autofree char *where = g_strdup_printf ("%s at byte %d", metric->name, field->byte);
  reading.value = number_of (field, take_number (&reader, field->order, size));
  decoded_add (decoded, sensor, &reading, where);
}

static void binary_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  const Sensor *sensor = prepared;
  if (sensor->length > 0 && message->size != (gsize) sensor->length) {
    decoded_miss (decoded, REASON_WRONG_LENGTH, "%" G_GSIZE_FORMAT " bytes, expected %d", message->size, sensor->length);
    return;
  }
  for (guint i = 0; i < sensor->metrics->len; i++)
    read_field (sensor, i, message, decoded);
}

static void binary_format_release (gpointer prepared)
{
  (void) prepared;
}

const Decoder decoder_binary = {
  .format = "binary",
  .prepare = binary_format_prepare,
  .decode = binary_format_decode,
  .release = binary_format_release,
};
