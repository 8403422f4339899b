/* sparkplug_payload.h: a Sparkplug B payload (org.eclipse.tahu.protobuf.Payload), metric by metric.
 *
 * thread: any. */
#pragma once

#include "adapters/decoders/protobuf.h"
#include "gateway/model/value.h"

/* Sparkplug 3.0, 6.4.16: DataType. */
enum { SPARKPLUG_INT8 = 1, SPARKPLUG_INT16, SPARKPLUG_INT32, SPARKPLUG_INT64, SPARKPLUG_UINT8, SPARKPLUG_UINT16,
       SPARKPLUG_UINT32, SPARKPLUG_UINT64, SPARKPLUG_FLOAT, SPARKPLUG_DOUBLE, SPARKPLUG_BOOLEAN, SPARKPLUG_STRING,
       SPARKPLUG_DATETIME, SPARKPLUG_TEXT, SPARKPLUG_UUID };

typedef struct {
  ByteReader metrics; /* what sparkplug_payload_next reads from */
  gboolean has_timestamp, has_sequence;
  guint64 timestamp_ms, sequence;
} SparkplugPayload;

typedef struct {
  ByteReader name; /* empty: only the alias names it */
  gboolean has_alias, has_timestamp, has_value;
  guint64 alias, timestamp_ms;
  guint datatype; /* 0: as at birth */
  gboolean is_historical, is_null;
  ProtobufField value;
  gboolean has_quality;
  gint64 quality; /* the property Quality: 192 good, 0 bad, 500 stale */
} SparkplugMetric;

/* FALSE when the bytes are no payload. */
gboolean sparkplug_payload_parse (const guint8 *bytes, gsize size, SparkplugPayload *payload);

/* FALSE at the end, and when a metric is malformed: then `payload->metrics.is_short` is set. */
gboolean sparkplug_payload_next (SparkplugPayload *payload, SparkplugMetric *metric);

/* The value as a number, true or false, or a text (then `*text` are its bytes). FALSE when it is of no such kind. */
gboolean sparkplug_value (const SparkplugMetric *metric, guint datatype, ValueKind *kind, double *number, ByteReader *text);

/* A command that asks an edge node for its births (6.4.21: Node Control/Rebirth). Free with g_bytes_unref. */
GBytes *sparkplug_rebirth (gint64 wall_us);
