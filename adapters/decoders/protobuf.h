/* protobuf.h: the wire format of Protocol Buffers, field by field, without a schema.
 *
 * https://protobuf.dev/programming-guides/encoding/. Groups, which proto2 once had, are not read.
 *
 * thread: any. */
#pragma once

#include "adapters/decoders/byte_reader.h"

typedef enum { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_BYTES = 2, WIRE_32_BITS = 5 } WireType;

typedef struct {
  guint number; /* of the field */
  WireType type;
  guint64 value;    /* unless WIRE_BYTES */
  ByteReader bytes; /* WIRE_BYTES: a message, a text, bytes */
} ProtobufField;

/* FALSE at the end, and at what is malformed: then `reader->is_short` is set. */
gboolean protobuf_next (ByteReader *reader, ProtobufField *field);

double protobuf_double (const ProtobufField *field);
float protobuf_float (const ProtobufField *field);

/* Appends a field to a message. */
void protobuf_put_varint (GByteArray *message, guint number, guint64 value);
void protobuf_put_bytes (GByteArray *message, guint number, const void *bytes, gsize size);
