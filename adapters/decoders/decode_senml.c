/* senml: Sensor Measurement Lists (RFC 8428), as JSON or CBOR: a list of records whose names, times, units and values are
 * relative to base fields that hold from the record on in which they stand.
 *
 * A metric's path is a record's name, whole or as it stands in the record without the base name; "NAME UNIT" takes that
 * unit only (one name may come in several), "NAME sum" the sum. */
#include <math.h>
#include <string.h>

#include "adapters/decoders/cbor.h"
#include "adapters/decoders/decoders.h"
#include "adapters/decoders/json_payload.h"
#include "adapters/decoders/metric_names.h"
#include "gateway/core/error.h"

enum { VERSION_MAX = 10 };

/* RFC 8428 4.5.3: a time below that is relative to now. */
#define RELATIVE_BELOW_S 268435456.0
#define SUM "sum"

typedef enum { BASE_VERSION, BASE_NAME, BASE_TIME, BASE_UNIT, BASE_VALUE, BASE_SUM, NAME, UNIT, NUMBER, TEXT, TRUTH, TOTAL,
               TIME, UPDATE_TIME, DATA, FIELDS } Field;

/* RFC 8428 4.1 to 4.3, and the labels of 6. */
static const struct {
  const char *json, *cbor;
} labels[FIELDS] = {
  [BASE_VERSION] = { "bver", "-1" }, [BASE_NAME] = { "bn", "-2" }, [BASE_TIME] = { "bt", "-3" },
  [BASE_UNIT] = { "bu", "-4" },      [BASE_VALUE] = { "bv", "-5" }, [BASE_SUM] = { "bs", "-6" },
  [NAME] = { "n", "0" },             [UNIT] = { "u", "1" },        [NUMBER] = { "v", "2" },
  [TEXT] = { "vs", "3" },            [TRUTH] = { "vb", "4" },      [TOTAL] = { "s", "5" },
  [TIME] = { "t", "6" },             [UPDATE_TIME] = { "ut", "7" }, [DATA] = { "vd", "8" },
};

/* SenML's units whose UCUM codes differ (RFC 8428 12.1). */
static const struct {
  const char *senml, *ucum;
} units[] = {
  { "%RH", "%" }, { "%EL", "%" }, { "/", "1" }, { "lat", "deg" }, { "lon", "deg" }, { "count", "1" }, { "beat/min", "/min" },
  { "dBW", "dB[W]" }, { "EL", "s" }, { "m2/s", "m2/s" }, { "l", "L" }, { "l/s", "L/s" }, { "Bspl", "B[SPL]" },
};

typedef struct {
  const Sensor *sensor;
  const EncodedMessage *message;
  Decoded *decoded;
  const char *base_name, *base_unit;
  double base_time, base_value, base_sum;
  gboolean is_found;
} Pack;

static gpointer senml_format_prepare (const Sensor *sensor, GError **error)
{
  (void) error;
  return (gpointer) sensor;
}

static json_t *field_of (json_t *record, Field field)
{
  json_t *value = json_object_get (record, labels[field].json);
  return value != NULL ? value : json_object_get (record, labels[field].cbor);
}

static double number_or (json_t *record, Field field, double otherwise)
{
  json_t *value = field_of (record, field);
  return json_is_number (value) ? json_number_value (value) : otherwise;
}

static const char *text_or (json_t *record, Field field, const char *otherwise)
{
  json_t *value = field_of (record, field);
  return json_is_string (value) ? json_string_value (value) : otherwise;
}

static void take_base (Pack *pack, json_t *record)
{
  pack->base_name = text_or (record, BASE_NAME, pack->base_name);
  pack->base_unit = text_or (record, BASE_UNIT, pack->base_unit);
  pack->base_time = number_or (record, BASE_TIME, pack->base_time);
  pack->base_value = number_or (record, BASE_VALUE, pack->base_value);
  pack->base_sum = number_or (record, BASE_SUM, pack->base_sum);
}

static const char *ucum_of (const char *unit)
{
  for (guint i = 0; unit != NULL && i < G_N_ELEMENTS (units); i++)
    if (strcmp (units[i].senml, unit) == 0)
      return units[i].ucum;
  return unit;
}

static void set_time (const Pack *pack, json_t *record, Reading *reading)
{
  double seconds = pack->base_time + number_or (record, TIME, 0);
  if (seconds == 0) /* RFC 8428 4.5.3: "roughly now" */
    return;
  double us = seconds * 1e6 + (seconds < RELATIVE_BELOW_S ? (double) pack->message->receive_time_us : 0);
  reading->has_time = isfinite (us) && fabs (us) < 9e18;
  reading->time_us = reading->has_time ? (gint64) us : 0;
}

/* "NAME", "NAME unit" or "NAME sum". */
static gboolean is_called (const char *address, const char *name, const char *tail)
{
  gsize length = strlen (name);
  if (strncmp (address, name, length) != 0)
    return FALSE;
  return address[length] == '\0' ? g_strcmp0 (tail, SUM) != 0
                                 : address[length] == ' ' && g_strcmp0 (address + length + 1, tail) == 0; /* as sent */
}

/* Whether the metric wants the record's unit by name is its business: `tail` is the unit, or "sum". */
static void add_value (Pack *pack, json_t *record, json_t *value, double base, const char *tail)
{
  const char *own = text_or (record, NAME, ""), *unit = text_or (record, UNIT, pack->base_unit);
  g_autofree char *whole = g_strconcat (pack->base_name, own, NULL);
  Reading common = { .sequence = -1 };
  set_time (pack, record, &common);
  if (unit != NULL)
    common.unit = decoded_text (pack->decoded, ucum_of (unit), -1);
  json_t *based = json_is_number (value) ? json_real (json_number_value (value) + base) : json_incref (value);
  for (guint i = 0; i < pack->sensor->metrics->len; i++) {
    const char *address = metric_address (pack->sensor->metrics->pdata[i]);
    if (!is_called (address, whole, tail) && (own[0] == '\0' || !is_called (address, own, tail)))
      continue;
    common.metric = i;
    pack->is_found = TRUE;
    if (based != NULL)
      json_payload_add (based, pack->sensor, &common, address, pack->decoded);
  }
  json_decref (based);
}

/* RFC 8428 4.4: a label that ends with _ must be understood, and none of those is. */
static gboolean is_understood (json_t *record, Decoded *decoded)
{
  const char *label;
  json_t *value;
  json_object_foreach (record, label, value)
    if (g_str_has_suffix (label, "_")) {
      decoded_miss (decoded, REASON_MALFORMED, "a record has %.40s, which must be understood and is not", label);
      return FALSE;
    }
  if (number_or (record, BASE_VERSION, VERSION_MAX) > VERSION_MAX)
    decoded_miss (decoded, REASON_MALFORMED, "version %g of SenML, at most %d is understood",
                  number_or (record, BASE_VERSION, 0), VERSION_MAX);
  return number_or (record, BASE_VERSION, VERSION_MAX) <= VERSION_MAX;
}

static void take_record (Pack *pack, json_t *record)
{
  static const Field others[] = { TEXT, TRUTH, DATA };
  take_base (pack, record);
  const char *unit = text_or (record, UNIT, pack->base_unit);
  json_t *number = field_of (record, NUMBER), *total = field_of (record, TOTAL);
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    if (field_of (record, others[i]) != NULL)
      add_value (pack, record, field_of (record, others[i]), 0, unit);
  if (number != NULL)
    add_value (pack, record, number, pack->base_value, unit);
  if (total != NULL)
    add_value (pack, record, total, pack->base_sum, SUM);
}

static json_t *parse (const EncodedMessage *message, Decoded *decoded)
{
  gsize at = 0;
  while (at < message->size && g_ascii_isspace (message->payload[at]))
    at++;
  if (at < message->size && (message->payload[at] == '[' || message->payload[at] == '{'))
    return json_payload_parse (message->payload, message->size, decoded);
  json_t *root = cbor_to_json (message->payload, message->size, &at);
  if (root == NULL)
    decoded_miss (decoded, REASON_MALFORMED, "neither JSON nor CBOR: byte %" G_GSIZE_FORMAT " is not understood", at);
  return root;
}

static void senml_format_decode (gpointer prepared, const EncodedMessage *message, Decoded *decoded)
{
  Pack pack = { .sensor = prepared, .message = message, .decoded = decoded, .base_name = "" };
  json_t *root = parse (message, decoded), *record;
  size_t index;
  if (root != NULL && !json_is_array (root))
    decoded_miss (decoded, REASON_MALFORMED, "no list of records");
  json_array_foreach (root, index, record)
    if (!is_understood (record, decoded))
      break;
    else
      take_record (&pack, record);
  if (!pack.is_found)
    decoded_miss (decoded, REASON_PATH_ABSENT, "no record has the name of a metric");
  json_decref (root);
}

static void senml_format_release (gpointer prepared)
{
  (void) prepared;
}

const Decoder decoder_senml = {
  .format = "senml",
  .prepare = senml_format_prepare,
  .decode = senml_format_decode,
  .release = senml_format_release,
};
