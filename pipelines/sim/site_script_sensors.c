/* site_script_sensors.c: sensors and their curves, as SITE.yaml has them. */
#include <math.h>

#include "pipelines/sim/site_script_private.h"

enum { TEMPLATE_DEPTH_MAX = 6 };

static const char *const formats[] = { "json", "value", "senml", "csv", "binary", NULL };
static const char *const curve_kinds[] = { "constant", "ramp", "sine", "points", NULL };
static const char *const shapes[] = { "linear", "steps", NULL };

/* curves */

static void convert_points (YamlReader *reader, struct fy_node *node, gpointer target)
{
  GArray *points = *(GArray **) target;
  void *iterator = NULL;
  if (!fy_node_is_sequence (node)) {
    yaml_fault (reader, node, "points are a list: [[0s, 210], [20s, 350]]");
    return;
  }
  for (struct fy_node *pair; (pair = fy_node_sequence_iterate (node, &iterator)) != NULL;) {
    CurvePoint point;
    if (!fy_node_is_sequence (pair) || fy_node_sequence_item_count (pair) != 2) {
      yaml_fault (reader, pair, "a point is a time and a value: [20s, 350]");
      continue;
    }
    if (!yaml_duration (reader, fy_node_sequence_get_by_index (pair, 0), &point.at_us)
        || !yaml_real (reader, fy_node_sequence_get_by_index (pair, 1), &point.value))
      continue;
    if (points->len > 0 && point.at_us <= g_array_index (points, CurvePoint, points->len - 1).at_us)
      yaml_fault (reader, pair, "each point is later than the one before it");
    g_array_append_val (points, point);
  }
}

static void curve_check (YamlReader *reader, struct fy_node *node, gpointer item)
{
  Curve *curve = item;
  if ((curve->kind == CURVE_RAMP || curve->kind == CURVE_SINE) && curve->over_us == 0)
    yaml_fault (reader, node, "this curve needs “over”: how long it takes, as 60s");
  if (curve->kind == CURVE_POINTS && curve->points->len == 0)
    yaml_fault (reader, node, "this curve needs “points”: [[0s, 210], [20s, 350]]");
}

static void curve_init (gpointer item)
{
  ((Curve *) item)->points = g_array_new (FALSE, FALSE, sizeof (CurvePoint));
}

static const Field curve_fields[] = {
  { "kind", FIELD_CHOICE, G_STRUCT_OFFSET (Curve, kind), TRUE, .choices = curve_kinds },
  { "value", FIELD_REAL, G_STRUCT_OFFSET (Curve, value) },
  { "from", FIELD_REAL, G_STRUCT_OFFSET (Curve, from) },
  { "to", FIELD_REAL, G_STRUCT_OFFSET (Curve, to) },
  { "over", FIELD_DURATION, G_STRUCT_OFFSET (Curve, over_us), .least = 0.001, .most = 1e9 },
  { "amplitude", FIELD_REAL, G_STRUCT_OFFSET (Curve, amplitude) },
  { "points", FIELD_CUSTOM, G_STRUCT_OFFSET (Curve, points), .convert = convert_points },
  { "shape", FIELD_CHOICE, G_STRUCT_OFFSET (Curve, is_stepped), .choices = shapes },
  { "repeat", FIELD_BOOLEAN, G_STRUCT_OFFSET (Curve, repeats) },
  { NULL },
};
static const Form curve_form
    = { "a curve", curve_fields, sizeof (Curve), curve_init, curve_check, (GDestroyNotify) curve_free };

/* sensors */

static json_t *template_scalar (YamlReader *reader, struct fy_node *node)
{
  g_autofree char *text = yaml_text (reader, node);
  if (text == NULL)
    return json_null ();
  char *end = NULL;
  double number = g_ascii_strtod (text, &end);
  if (fy_node_get_style (node) != FYNS_PLAIN || end == text || *end != '\0' || !isfinite (number)) {
    if (fy_node_get_style (node) == FYNS_PLAIN && (g_str_equal (text, "true") || g_str_equal (text, "false")))
      return json_boolean (text[0] == 't');
    return json_string (text);
  }
  return number == floor (number) && fabs (number) < 1e15 ? json_integer ((json_int_t) number) : json_real (number);
}

static json_t *template_json (YamlReader *reader, struct fy_node *node, int depth)
{
  void *iterator = NULL;
  if (depth > TEMPLATE_DEPTH_MAX) {
    yaml_fault (reader, node, "fields are nested too deeply");
    return json_null ();
  }
  if (fy_node_is_mapping (node)) {
    json_t *object = json_object ();
    for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate (node, &iterator)) != NULL;) {
      g_autofree char *key = yaml_text (reader, fy_node_pair_key (pair));
      if (key != NULL)
        json_object_set_new (object, key, template_json (reader, fy_node_pair_value (pair), depth + 1));
    }
    return object;
  }
  if (fy_node_is_sequence (node)) {
    json_t *array = json_array ();
    for (struct fy_node *item; (item = fy_node_sequence_iterate (node, &iterator)) != NULL;)
      json_array_append_new (array, template_json (reader, item, depth + 1));
    return array;
  }
  return template_scalar (reader, node);
}

static void convert_fields (YamlReader *reader, struct fy_node *node, gpointer target)
{
  if (fy_node_is_mapping (node))
    *(json_t **) target = template_json (reader, node, 0);
  else
    yaml_fault (reader, node, "fields are the keys of the JSON object: {level_cm: \"{value}\", battery: 87}");
}

static void sensor_init (gpointer item)
{
  SensorScript *sensor = item;
  sensor->interval_us = G_USEC_PER_SEC;
  sensor->qos = 1;
  sensor->seed = 1;
  sensor->decimals = 2;
}

static void sensor_free (gpointer item)
{
  SensorScript *sensor = item;
  if (sensor == NULL)
    return;
  g_free (sensor->id);
  g_free (sensor->broker);
  g_free (sensor->topic);
  g_free (sensor->unit);
  curve_free (sensor->curve);
  json_decref (sensor->fields);
  g_free (sensor);
}

static void sensor_check (YamlReader *reader, struct fy_node *node, gpointer item)
{
  const SensorScript *sensor = item;
  if (sensor->fields != NULL && sensor->format != PAYLOAD_JSON)
    yaml_fault (reader, yaml_at (node, "fields"), "fields are for format json");
  if (sensor->unit != NULL && sensor->format != PAYLOAD_SENML)
    yaml_fault (reader, yaml_at (node, "unit"), "unit is for format senml");
}

static const Field sensor_fields[] = {
  { "id", FIELD_ID, G_STRUCT_OFFSET (SensorScript, id), TRUE },
  { "broker", FIELD_ID, G_STRUCT_OFFSET (SensorScript, broker), TRUE },
  { "topic", FIELD_TEXT, G_STRUCT_OFFSET (SensorScript, topic), TRUE },
  { "format", FIELD_CHOICE, G_STRUCT_OFFSET (SensorScript, format), .choices = formats },
  { "fields", FIELD_CUSTOM, G_STRUCT_OFFSET (SensorScript, fields), .convert = convert_fields },
  { "unit", FIELD_TEXT, G_STRUCT_OFFSET (SensorScript, unit) },
  { "interval", FIELD_DURATION, G_STRUCT_OFFSET (SensorScript, interval_us), .least = 0.001, .most = 1e6 },
  { "curve", FIELD_FORM, G_STRUCT_OFFSET (SensorScript, curve), TRUE, .form = &curve_form },
  { "noise", FIELD_REAL, G_STRUCT_OFFSET (SensorScript, noise) },
  { "seed", FIELD_INTEGER, G_STRUCT_OFFSET (SensorScript, seed) },
  { "decimals", FIELD_INTEGER, G_STRUCT_OFFSET (SensorScript, decimals), .least = 0, .most = 9 },
  { "qos", FIELD_INTEGER, G_STRUCT_OFFSET (SensorScript, qos), .least = 0, .most = 2 },
  { "retain", FIELD_BOOLEAN, G_STRUCT_OFFSET (SensorScript, retain) },
  { "sequence", FIELD_BOOLEAN, G_STRUCT_OFFSET (SensorScript, is_sequenced) },
  { NULL },
};
const Form site_script_sensor_form
  = { "a sensor", sensor_fields, sizeof (SensorScript), sensor_init, sensor_check, sensor_free };
