#include "pipelines/sim/site_script.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/sim/yaml_form.h"

enum { DIMENSION_MIN = 64, DIMENSION_MAX = 4096, TEMPLATE_DEPTH_MAX = 6 };

static const char *const codecs[] = { "h264", "h265", NULL };
static const char *const audios[] = { "none", "aac", "pcma", NULL };
static const char *const pacings[] = { "paced", "burst", NULL };
static const char *const modes[] = { "normal", "raw", NULL };
static const char *const formats[] = { "json", "value", "senml", "csv", "binary", NULL };
static const char *const curve_kinds[] = { "constant", "ramp", "sine", "points", NULL };
static const char *const shapes[] = { "linear", "steps", NULL };
static const char *const raw_faults[] = {
  "none",   "no_sdp",  "empty_sdp",      "unknown_codec",        "truncated_rtp", "lying_lengths",     "early_rtp",
  "silent", "garbage", "endless_header", "lying_content_length", "not_found",     "closes_after_play", "jumping_time",
  "stalls", "floods",  "resets",         NULL,
};

/* a stream */

static void convert_size (YamlReader *reader, struct fy_node *node, gpointer target)
{
  g_autofree char *text = yaml_text (reader, node);
  int *size = target, end = 0;
  if (text == NULL)
    return;
  if (sscanf (text, "%5dx%5d%n", &size[0], &size[1], &end) != 2 || text[end] != '\0')
    yaml_fault (reader, node, "\"%s\" is no picture size: write 640x360", text);
  else if (MIN (size[0], size[1]) < DIMENSION_MIN || MAX (size[0], size[1]) > DIMENSION_MAX || size[0] % 2
           || size[1] % 2)
    yaml_fault (reader, node, "a picture is %d to %d pixels wide and high, in even numbers", DIMENSION_MIN,
                DIMENSION_MAX);
}

static void convert_bitrate (YamlReader *reader, struct fy_node *node, gpointer target)
{
  g_autofree char *text = yaml_text (reader, node);
  if (text == NULL)
    return;
  char *end = NULL;
  double value = g_ascii_strtod (text, &end);
  if (end != text && (*end == 'k' || *end == 'M') && end[1] == '\0')
    value *= *end == 'k' ? 1e3 : 1e6;
  else if (end == text || *end != '\0')
    value = 0;
  if (value >= 1e4 && value <= 1e8)
    *(int *) target = (int) value;
  else
    yaml_fault (reader, node, "\"%s\" is no bit rate between 10k and 100M: write 400k or 2M", text);
}

static void convert_path (YamlReader *reader, struct fy_node *node, gpointer target)
{
  char *text = yaml_text (reader, node);
  if (text == NULL)
    return;
  char **path = target;
  *path = g_path_is_absolute (text) ? g_strdup (text) : g_build_filename (yaml_folder (reader), text, NULL);
  g_free (text);
}

static void stream_init (gpointer item)
{
  StreamScript *stream = item;
  stream->size[0] = 640;
  stream->size[1] = 360;
  stream->fps = 15;
  stream->bitrate = 400000;
  stream->key_interval_us = 2 * G_USEC_PER_SEC;
}

static void stream_free (gpointer item)
{
  StreamScript *stream = item;
  if (stream)
    g_free (stream->file);
  g_free (stream);
}

/* A camera has these keys for its main stream, and again under `sub`. */
#define STREAM_ROWS(base)                                                                                              \
  { "codec", FIELD_CHOICE, (base) + G_STRUCT_OFFSET (StreamScript, codec), .choices = codecs },                        \
      { "size", FIELD_CUSTOM, (base) + G_STRUCT_OFFSET (StreamScript, size), .convert = convert_size },                \
      { "fps", FIELD_INTEGER, (base) + G_STRUCT_OFFSET (StreamScript, fps), .least = 1, .most = 60 },                  \
      { "bitrate", FIELD_CUSTOM, (base) + G_STRUCT_OFFSET (StreamScript, bitrate), .convert = convert_bitrate },       \
      { "key_frame_interval", FIELD_DURATION, (base) + G_STRUCT_OFFSET (StreamScript, key_interval_us), .least = 0.1,  \
        .most = 600 },                                                                                                 \
      { "b_frames", FIELD_INTEGER, (base) + G_STRUCT_OFFSET (StreamScript, b_frames), .least = 0, .most = 4 },         \
  {                                                                                                                    \
    "file", FIELD_CUSTOM, (base) + G_STRUCT_OFFSET (StreamScript, file), .convert = convert_path                       \
  }

static const Field stream_fields[] = { STREAM_ROWS (0), { NULL } };
static const Form stream_form = { "a stream", stream_fields, sizeof (StreamScript), stream_init, NULL, stream_free };

/* a camera */

static void camera_check (YamlReader *reader, struct fy_node *node, gpointer item)
{
  CameraScript *camera = item;
  if (camera->path == NULL)
    camera->path = g_strconcat ("/", camera->id, NULL);
  else if (camera->path[0] != '/')
    yaml_fault (reader, yaml_at (node, "path"), "a path starts with /");
  if ((camera->username == NULL) != (camera->password == NULL))
    yaml_fault (reader, node, "username and password stand together or not at all");
  if ((camera->cert_file == NULL) != (camera->key_file == NULL))
    yaml_fault (reader, node, "cert_file and key_file stand together or not at all");
  if (!camera->is_raw && camera->raw_fault != RAW_NOTHING)
    yaml_fault (reader, yaml_at (node, "fault"),
                "only a camera with “mode: raw” has a fault; others are told by commands");
  if (camera->is_raw && (camera->sub || camera->username || camera->cert_file || camera->main.file || camera->audio))
    yaml_fault (reader, node, "a raw camera has no sub, login, certificate, file or audio");
  if (camera->main.file && camera->audio)
    yaml_fault (reader, yaml_at (node, "audio"), "a camera that plays a file has no audio");
}

static void camera_init (gpointer item)
{
  CameraScript *camera = item;
  stream_init (&camera->main);
}

static void camera_free (gpointer item)
{
  CameraScript *camera = item;
  if (camera == NULL)
    return;
  g_free (camera->id);
  g_free (camera->name);
  g_free (camera->path);
  g_free (camera->username);
  g_free (camera->password);
  g_free (camera->cert_file);
  g_free (camera->key_file);
  g_free (camera->main.file);
  stream_free (camera->sub);
  g_free (camera);
}

static const Field camera_fields[] = {
  { "id", FIELD_ID, G_STRUCT_OFFSET (CameraScript, id), TRUE },
  { "name", FIELD_TEXT, G_STRUCT_OFFSET (CameraScript, name) },
  { "port", FIELD_INTEGER, G_STRUCT_OFFSET (CameraScript, port), .least = 0, .most = 65535 },
  { "path", FIELD_TEXT, G_STRUCT_OFFSET (CameraScript, path) },
  { "username", FIELD_TEXT, G_STRUCT_OFFSET (CameraScript, username) },
  { "password", FIELD_TEXT, G_STRUCT_OFFSET (CameraScript, password) },
  { "cert_file", FIELD_CUSTOM, G_STRUCT_OFFSET (CameraScript, cert_file), .convert = convert_path },
  { "key_file", FIELD_CUSTOM, G_STRUCT_OFFSET (CameraScript, key_file), .convert = convert_path },
  { "audio", FIELD_CHOICE, G_STRUCT_OFFSET (CameraScript, audio), .choices = audios },
  { "pacing", FIELD_CHOICE, G_STRUCT_OFFSET (CameraScript, pacing), .choices = pacings },
  STREAM_ROWS (G_STRUCT_OFFSET (CameraScript, main)),
  { "sub", FIELD_FORM, G_STRUCT_OFFSET (CameraScript, sub), .form = &stream_form },
  { "mode", FIELD_CHOICE, G_STRUCT_OFFSET (CameraScript, is_raw), .choices = modes },
  { "fault", FIELD_CHOICE, G_STRUCT_OFFSET (CameraScript, raw_fault), .choices = raw_faults },
  { NULL },
};
static const Form camera_form
    = { "a camera", camera_fields, sizeof (CameraScript), camera_init, camera_check, camera_free };

/* brokers */

static void broker_init (gpointer item)
{
  BrokerScript *broker = item;
  broker->host = g_strdup ("127.0.0.1");
  broker->port = 1883;
}

static void broker_free (gpointer item)
{
  BrokerScript *broker = item;
  if (broker == NULL)
    return;
  g_free (broker->id);
  g_free (broker->host);
  g_free (broker->username);
  g_free (broker->password);
  g_free (broker);
}

static const Field broker_fields[] = {
  { "id", FIELD_ID, G_STRUCT_OFFSET (BrokerScript, id), TRUE },
  { "host", FIELD_TEXT, G_STRUCT_OFFSET (BrokerScript, host) },
  { "port", FIELD_INTEGER, G_STRUCT_OFFSET (BrokerScript, port), .least = 1, .most = 65535 },
  { "username", FIELD_TEXT, G_STRUCT_OFFSET (BrokerScript, username) },
  { "password", FIELD_TEXT, G_STRUCT_OFFSET (BrokerScript, password) },
  { NULL },
};
static const Form broker_form = { "a broker", broker_fields, sizeof (BrokerScript), broker_init, NULL, broker_free };

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
static const Form sensor_form
    = { "a sensor", sensor_fields, sizeof (SensorScript), sensor_init, sensor_check, sensor_free };

/* centers and receivers */

static void center_init (gpointer item)
{
  ((CenterScript *) item)->topic = g_strdup ("gridgate/v1/#");
}

static void center_free (gpointer item)
{
  CenterScript *center = item;
  if (center == NULL)
    return;
  g_free (center->id);
  g_free (center->name);
  g_free (center->broker);
  g_free (center->topic);
  g_free (center);
}

static const Field center_fields[] = {
  { "id", FIELD_ID, G_STRUCT_OFFSET (CenterScript, id), TRUE },
  { "name", FIELD_TEXT, G_STRUCT_OFFSET (CenterScript, name) },
  { "broker", FIELD_ID, G_STRUCT_OFFSET (CenterScript, broker), TRUE },
  { "topic", FIELD_TEXT, G_STRUCT_OFFSET (CenterScript, topic) },
  { "acknowledge", FIELD_BOOLEAN, G_STRUCT_OFFSET (CenterScript, acknowledges) },
  { NULL },
};
static const Form center_form = { "a center", center_fields, sizeof (CenterScript), center_init, NULL, center_free };

static void receiver_free (gpointer item)
{
  ReceiverScript *receiver = item;
  if (receiver == NULL)
    return;
  g_free (receiver->id);
  g_free (receiver->name);
  g_free (receiver->secret_file);
  g_free (receiver);
}

static const Field receiver_fields[] = {
  { "id", FIELD_ID, G_STRUCT_OFFSET (ReceiverScript, id), TRUE },
  { "name", FIELD_TEXT, G_STRUCT_OFFSET (ReceiverScript, name) },
  { "port", FIELD_INTEGER, G_STRUCT_OFFSET (ReceiverScript, port), .least = 0, .most = 65535 },
  { "secret_file", FIELD_CUSTOM, G_STRUCT_OFFSET (ReceiverScript, secret_file), TRUE, .convert = convert_path },
  { NULL },
};
static const Form receiver_form = { "a receiver", receiver_fields, sizeof (ReceiverScript), NULL, NULL, receiver_free };

/* the script's steps */

static void step_free (gpointer item)
{
  ScriptStep *step = item;
  if (step)
    g_free (step->command);
  g_free (step);
}

static const Field step_fields[] = {
  { "at", FIELD_DURATION, G_STRUCT_OFFSET (ScriptStep, at_us), TRUE },
  { "do", FIELD_TEXT, G_STRUCT_OFFSET (ScriptStep, command), TRUE },
  { NULL },
};
static const Form step_form = { "a step", step_fields, sizeof (ScriptStep), NULL, NULL, step_free };

/* the site */

/* Every item of these lists starts with its id. */
static const char *item_id (gconstpointer item)
{
  return *(char *const *) item;
}

static void check_ids (YamlReader *reader, struct fy_node *node, const char *key, const GPtrArray *items)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < items->len; i++)
    if (!g_hash_table_add (seen, (gpointer) item_id (items->pdata[i])))
      yaml_fault (reader, yaml_at (node, key), "two of these %s are called \"%s\"", key, item_id (items->pdata[i]));
}

static void check_broker (YamlReader *reader, struct fy_node *node, const char *key, guint index,
                          const SiteScript *script, const char *broker)
{
  struct fy_node *item = fy_node_sequence_get_by_index (yaml_at (node, key), (int) index);
  if (site_script_broker (script, broker) == NULL)
    yaml_fault (reader, yaml_at (item, "broker"), "there is no broker \"%s\" under “brokers”", broker);
}

static void check_ports (YamlReader *reader, struct fy_node *node, const SiteScript *script)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < script->cameras->len; i++) {
    const CameraScript *camera = script->cameras->pdata[i];
    struct fy_node *item = fy_node_sequence_get_by_index (yaml_at (node, "cameras"), (int) i);
    if (camera->port != 0 && !g_hash_table_add (seen, GINT_TO_POINTER (camera->port)))
      yaml_fault (reader, yaml_at (item, "port"), "port %d is another camera's: each camera has its own", camera->port);
  }
}

static void site_check (YamlReader *reader, struct fy_node *node, gpointer item)
{
  SiteScript *script = item;
  check_ids (reader, node, "brokers", script->brokers);
  check_ids (reader, node, "cameras", script->cameras);
  check_ids (reader, node, "sensors", script->sensors);
  check_ids (reader, node, "centers", script->centers);
  check_ids (reader, node, "receivers", script->receivers);
  check_ports (reader, node, script);
  for (guint i = 0; i < script->sensors->len; i++)
    check_broker (reader, node, "sensors", i, script, ((SensorScript *) script->sensors->pdata[i])->broker);
  for (guint i = 0; i < script->centers->len; i++)
    check_broker (reader, node, "centers", i, script, ((CenterScript *) script->centers->pdata[i])->broker);
}

static void site_init (gpointer item)
{
  SiteScript *script = item;
  script->brokers = g_ptr_array_new_with_free_func (broker_free);
  script->cameras = g_ptr_array_new_with_free_func (camera_free);
  script->sensors = g_ptr_array_new_with_free_func (sensor_free);
  script->centers = g_ptr_array_new_with_free_func (center_free);
  script->receivers = g_ptr_array_new_with_free_func (receiver_free);
  script->steps = g_ptr_array_new_with_free_func (step_free);
}

static const Field site_fields[] = {
  { "name", FIELD_TEXT, G_STRUCT_OFFSET (SiteScript, name) },
  { "font", FIELD_CUSTOM, G_STRUCT_OFFSET (SiteScript, font), .convert = convert_path },
  { "control", FIELD_CUSTOM, G_STRUCT_OFFSET (SiteScript, control), .convert = convert_path },
  { "brokers", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, brokers), .form = &broker_form },
  { "cameras", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, cameras), .form = &camera_form },
  { "sensors", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, sensors), .form = &sensor_form },
  { "centers", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, centers), .form = &center_form },
  { "receivers", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, receivers), .form = &receiver_form },
  { "script", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, steps), .form = &step_form },
  { NULL },
};
static const Form site_form = { "a simulated site", site_fields, sizeof (SiteScript),
                                site_init,          site_check,  (GDestroyNotify) site_script_free };

SiteScript *site_script_read (const char *path, GPtrArray *faults)
{
  return yaml_form_read (path, &site_form, faults);
}

const BrokerScript *site_script_broker (const SiteScript *script, const char *id)
{
  for (guint i = 0; i < script->brokers->len; i++)
    if (g_strcmp0 (item_id (script->brokers->pdata[i]), id) == 0)
      return script->brokers->pdata[i];
  return NULL;
}

void site_script_free (SiteScript *script)
{
  if (script == NULL)
    return;
  g_ptr_array_unref (script->brokers);
  g_ptr_array_unref (script->cameras);
  g_ptr_array_unref (script->sensors);
  g_ptr_array_unref (script->centers);
  g_ptr_array_unref (script->receivers);
  g_ptr_array_unref (script->steps);
  g_free (script->name);
  g_free (script->font);
  g_free (script->control);
  g_free (script);
}
