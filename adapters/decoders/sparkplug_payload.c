#include "adapters/decoders/sparkplug_payload.h"

#include <string.h>

#define REBIRTH "Node Control/Rebirth"
#define QUALITY "Quality"

/* Numbers of the fields in sparkplug_b.proto. */
enum { PAYLOAD_TIMESTAMP = 1, PAYLOAD_METRICS = 2, PAYLOAD_SEQUENCE = 3 };
enum { METRIC_NAME = 1, METRIC_ALIAS, METRIC_TIMESTAMP, METRIC_DATATYPE, METRIC_IS_HISTORICAL, METRIC_IS_TRANSIENT,
       METRIC_IS_NULL, METRIC_METADATA, METRIC_PROPERTIES, METRIC_INT, METRIC_LONG, METRIC_FLOAT, METRIC_DOUBLE, METRIC_BOOLEAN,
       METRIC_STRING };
enum { PROPERTIES_KEYS = 1, PROPERTIES_VALUES = 2, PROPERTY_INT = 3, PROPERTY_LONG = 4 };

static gboolean bytes_are (const ByteReader *bytes, const char *text)
{
  gsize size = byte_reader_left (bytes);
  return size == strlen (text) && memcmp (bytes->at, text, size) == 0;
}

gboolean sparkplug_payload_parse (const guint8 *bytes, gsize size, SparkplugPayload *payload)
{
  ByteReader reader = { bytes, bytes + size, FALSE };
  ProtobufField field;
  *payload = (SparkplugPayload){ .metrics = reader };
  while (protobuf_next (&reader, &field)) {
    if (field.number == PAYLOAD_TIMESTAMP && field.type == WIRE_VARINT) {
      payload->has_timestamp = TRUE;
      payload->timestamp_ms = field.value;
    } else if (field.number == PAYLOAD_SEQUENCE && field.type == WIRE_VARINT) {
      payload->has_sequence = TRUE;
      payload->sequence = field.value;
    }
  }
  return !reader.is_short;
}

static gboolean take_quality (ByteReader property, gint64 *quality)
{
  ProtobufField field;
  gboolean is_found = FALSE;
  while (protobuf_next (&property, &field))
    if ((field.number == PROPERTY_INT || field.number == PROPERTY_LONG) && field.type == WIRE_VARINT) {
      *quality = field.number == PROPERTY_INT ? (gint64) (gint32) field.value : (gint64) field.value;
      is_found = TRUE;
    }
  return is_found;
}

/* Keys and values are two lists side by side. */
static void take_properties (ByteReader properties, SparkplugMetric *metric)
{
  ByteReader keys = properties, values = properties;
  ProtobufField key, value;
  while (protobuf_next (&keys, &key)) {
    if (key.number != PROPERTIES_KEYS || key.type != WIRE_BYTES)
      continue;
    gboolean has_value = FALSE;
    while (!has_value && protobuf_next (&values, &value))
      has_value = value.number == PROPERTIES_VALUES && value.type == WIRE_BYTES;
    if (has_value && bytes_are (&key.bytes, QUALITY))
      metric->has_quality = take_quality (value.bytes, &metric->quality);
  }
}

static void take_field (const ProtobufField *field, SparkplugMetric *metric)
{
  switch (field->number) {
  case METRIC_NAME:
    if (field->type == WIRE_BYTES)
      metric->name = field->bytes;
    break;
  case METRIC_ALIAS:
    metric->has_alias = field->type == WIRE_VARINT;
    metric->alias = field->value;
    break;
  case METRIC_TIMESTAMP:
    metric->has_timestamp = field->type == WIRE_VARINT;
    metric->timestamp_ms = field->value;
    break;
  case METRIC_DATATYPE:
    metric->datatype = (guint) field->value;
    break;
  case METRIC_IS_HISTORICAL:
    metric->is_historical = field->value != 0;
    break;
  case METRIC_IS_NULL:
    metric->is_null = field->value != 0;
    break;
  case METRIC_PROPERTIES:
    if (field->type == WIRE_BYTES)
      take_properties (field->bytes, metric);
    break;
  default:
    if (field->number < METRIC_INT || field->number > METRIC_STRING)
      return;
    metric->has_value = TRUE;
    metric->value = *field;
  }
}

gboolean sparkplug_payload_next (SparkplugPayload *payload, SparkplugMetric *metric)
{
  ProtobufField field;
  do
    if (!protobuf_next (&payload->metrics, &field))
      return FALSE;
  while (field.number != PAYLOAD_METRICS || field.type != WIRE_BYTES);
  ByteReader reader = field.bytes;
  *metric = (SparkplugMetric){ 0 };
  while (protobuf_next (&reader, &field))
    take_field (&field, metric);
  payload->metrics.is_short = reader.is_short;
  return !reader.is_short;
}

/* Signed numbers travel as unsigned ones of their size (6.4.16): the datatype tells. */
static double whole_number (const ProtobufField *value, guint datatype)
{
  switch (datatype) {
  case SPARKPLUG_INT8:
    return (gint8) value->value;
  case SPARKPLUG_INT16:
    return (gint16) value->value;
  case SPARKPLUG_INT32:
    return (gint32) value->value;
  case SPARKPLUG_INT64:
    return (double) (gint64) value->value;
  default:
    return value->number == METRIC_INT ? (double) (guint32) value->value : (double) value->value;
  }
}

gboolean sparkplug_value (const SparkplugMetric *metric, guint datatype, ValueKind *kind, double *number, ByteReader *text)
{
  const ProtobufField *value = &metric->value;
  *kind = VALUE_NUMBER;
  if ((value->number == METRIC_INT || value->number == METRIC_LONG) && value->type == WIRE_VARINT) {
    *number = whole_number (value, datatype);
    *kind = datatype == SPARKPLUG_BOOLEAN ? VALUE_BOOLEAN : VALUE_NUMBER;
  } else if (value->number == METRIC_FLOAT && value->type == WIRE_32_BITS) {
    *number = (double) protobuf_float (value);
  } else if (value->number == METRIC_DOUBLE && value->type == WIRE_64_BITS) {
    *number = protobuf_double (value);
  } else if (value->number == METRIC_BOOLEAN && value->type == WIRE_VARINT) {
    *kind = VALUE_BOOLEAN;
    *number = value->value != 0;
  } else if (value->number == METRIC_STRING && value->type == WIRE_BYTES) {
    *kind = VALUE_TEXT;
    *text = value->bytes;
  } else {
    return FALSE;
  }
  return TRUE;
}

GBytes *sparkplug_rebirth (gint64 wall_us)
{
  g_autoptr (GByteArray) metric = g_byte_array_new ();
  GByteArray *payload = g_byte_array_new ();
  guint64 now_ms = (guint64) wall_us / 1000;
  protobuf_put_bytes (metric, METRIC_NAME, REBIRTH, strlen (REBIRTH));
  protobuf_put_varint (metric, METRIC_TIMESTAMP, now_ms);
  protobuf_put_varint (metric, METRIC_DATATYPE, SPARKPLUG_BOOLEAN);
  protobuf_put_varint (metric, METRIC_BOOLEAN, 1);
  protobuf_put_varint (payload, PAYLOAD_TIMESTAMP, now_ms);
  protobuf_put_bytes (payload, PAYLOAD_METRICS, metric->data, metric->len);
  return g_byte_array_free_to_bytes (payload);
}
