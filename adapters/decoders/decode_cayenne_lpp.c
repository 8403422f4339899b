/* cayenne_lpp: Cayenne Low Power Payload: channel, type and value in turn, bytes highest first, no time.
 *
 * A metric's path is TYPE_CHANNEL, for types of several parts TYPE_CHANNEL.PART: temperature_1, gps_3.lat. What is signed
 * and what isn't follows the specification: temperatures are, humidities are not. A type that is not known has no known length:
 * what stands before it counts, the rest is lost, and that is said. */
#include "adapters/decoders/byte_reader.h"
#include "adapters/decoders/decoders.h"
#include "adapters/decoders/metric_names.h"
#include "gateway/core/error.h"

enum { PARTS_MAX = 3, POLYLINE = 240 };

/* The "LPP 2.0" types are IPSO object numbers less 3200. */
typedef struct {
  guint8 type;
  const char *name;
  guint parts, bytes; /* bytes: of one part */
  gboolean is_signed;
  double scale[PARTS_MAX];
  const char *unit;
  const char *part[PARTS_MAX];
} LppType;

#define ALL(s) { s, s, s }
#define AXES { "x", "y", "z" }

static const LppType types[] = {
  { 0, "digital_in", 1, 1, FALSE, ALL (1), NULL, { NULL } },
  { 1, "digital_out", 1, 1, FALSE, ALL (1), NULL, { NULL } },
  { 2, "analog_in", 1, 2, TRUE, ALL (0.01), NULL, { NULL } },
  { 3, "analog_out", 1, 2, TRUE, ALL (0.01), NULL, { NULL } },
  { 100, "generic", 1, 4, FALSE, ALL (1), NULL, { NULL } },
  { 101, "luminosity", 1, 2, FALSE, ALL (1), "lx", { NULL } },
  { 102, "presence", 1, 1, FALSE, ALL (1), NULL, { NULL } },
  { 103, "temperature", 1, 2, TRUE, ALL (0.1), "Cel", { NULL } },
  { 104, "relative_humidity", 1, 1, FALSE, ALL (0.5), "%", { NULL } },
  { 113, "accelerometer", 3, 2, TRUE, ALL (0.001), "[g]", AXES },
  { 115, "barometric_pressure", 1, 2, FALSE, ALL (0.1), "hPa", { NULL } },
  { 116, "voltage", 1, 2, FALSE, ALL (0.01), "V", { NULL } },
  { 117, "current", 1, 2, FALSE, ALL (0.001), "A", { NULL } },
  { 118, "frequency", 1, 4, FALSE, ALL (1), "Hz", { NULL } },
  { 120, "percentage", 1, 1, FALSE, ALL (1), "%", { NULL } },
  { 121, "altitude", 1, 2, TRUE, ALL (1), "m", { NULL } },
  { 125, "concentration", 1, 2, FALSE, ALL (1), "[ppm]", { NULL } },
  { 128, "power", 1, 2, FALSE, ALL (1), "W", { NULL } },
  { 130, "distance", 1, 4, FALSE, ALL (0.001), "m", { NULL } },
  { 131, "energy", 1, 4, FALSE, ALL (0.001), "kW.h", { NULL } },
  { 132, "direction", 1, 2, FALSE, ALL (1), "deg", { NULL } },
  { 133, "unixtime", 1, 4, FALSE, ALL (1), "s", { NULL } },
  { 134, "gyrometer", 3, 2, TRUE, ALL (0.01), "deg/s", AXES },
  { 135, "colour", 3, 1, FALSE, ALL (1), NULL, { "r", "g", "b" } },
  { 136, "gps", 3, 3, TRUE, { 0.0001, 0.0001, 0.01 }, NULL, { "lat", "lon", "altitude" } },
  { 142, "switch", 1, 1, FALSE, ALL (1), NULL, { NULL } },
};

static gpointer lpp_format_prepare (const Sensor *sensor, GError **error)
{
  (void) error;
  return (gpointer) sensor;
}

static const LppType *find_type (guint8 type)
{
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    if (types[i].type == type)
      return &types[i];
  return NULL;
}

static void take_part (const Sensor *sensor, const LppType *type, guint channel, guint part, guint64 bits,
                       Decoded *decoded)
{
  char name[64];
  double number = type->is_signed ? (double) sign_extend (bits, type->bytes) : (double) bits;
  Reading reading = { .sequence = -1, .value = number * type->scale[part], .unit = type->unit };
  g_snprintf (name, sizeof name, "%s_%u%s%s", type->name, channel, type->part[part] != NULL ? "." : "",
              type->part[part] != NULL ? type->part[part] : "");
  for (guint i = metric_index (sensor, name, 0); i < sensor->metrics->len; i = metric_index (sensor, name, i + 1)) {
    reading.metric = i;
    decoded_add (decoded, sensor, &reading, name);
  }
  if (g_strcmp0 (sensor->time_path, name) != 0)
    return;
  for (guint i = 0; i < decoded->readings->len; i++) {
    Reading *dated = &g_array_index (decoded->readings, Reading, i);
    dated->has_time = TRUE;
    dated->time_us = (gint64) bits * G_USEC_PER_SEC;
  }
}

/* Its second byte is its size, from there on. Only its place in the message matters: a line is no reading. */
static void skip_polyline (ByteReader *reader)
{
  guint size = (guint) byte_reader_big (reader, 1);
  byte_reader_take (reader, size > 0 ? size - 1 : 0);
}

static gboolean take_value (const Sensor *sensor, ByteReader *reader, Decoded *decoded)
{
  guint channel = (guint) byte_reader_big (reader, 1), number = (guint) byte_reader_big (reader, 1);
  const LppType *type = find_type ((guint8) number);
  if (reader->is_short)
    decoded_miss (decoded, REASON_MALFORMED, "the last value has no type");
  else if (number == POLYLINE)
    skip_polyline (reader);
  else if (type == NULL)
    decoded_miss (decoded, REASON_MALFORMED, "channel %u has type %u, which is unknown: %" G_GSIZE_FORMAT
                  " bytes after it are lost", channel, number, byte_reader_left (reader));
  else if (byte_reader_left (reader) < type->parts * type->bytes)
    decoded_miss (decoded, REASON_MALFORMED, "%s_%u is cut short", type->name, channel);
  else
    for (guint part = 0; part < type->parts; part++)
      take_part (sensor, type, channel, part, byte_reader_big (reader, type->bytes), decoded);
  return !reader->is_short && (number == POLYLINE || type != NULL);
}

static void lpp_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  ByteReader reader = { message->payload, message->payload + message->size, FALSE };
  while (byte_reader_left (&reader) > 0)
    if (!take_value (prepared, &reader, decoded))
      return;
}

static void lpp_format_release (gpointer prepared)
{
  (void) prepared;
}

const Decoder decoder_cayenne_lpp = {
  .format = "cayenne_lpp",
  .prepare = lpp_format_prepare,
  .decode = lpp_format_decode,
  .release = lpp_format_release,
};
