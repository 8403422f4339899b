#include "pipelines/sim/site_script_private.h"

void site_script_path (YamlReader *reader, struct fy_node *node, gpointer target)
{
  char *text = yaml_text (reader, node);
  if (text == NULL)
    return;
  char **path = target;
  *path = g_path_is_absolute (text) ? g_strdup (text) : g_build_filename (yaml_folder (reader), text, NULL);
  g_free (text);
}

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
  { "secret_file", FIELD_CUSTOM, G_STRUCT_OFFSET (ReceiverScript, secret_file), TRUE, .convert = site_script_path },
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
  script->cameras = g_ptr_array_new_with_free_func (site_script_camera_form.free);
  script->sensors = g_ptr_array_new_with_free_func (site_script_sensor_form.free);
  script->centers = g_ptr_array_new_with_free_func (center_free);
  script->receivers = g_ptr_array_new_with_free_func (receiver_free);
  script->steps = g_ptr_array_new_with_free_func (step_free);
}

static const Field site_fields[] = {
  { "name", FIELD_TEXT, G_STRUCT_OFFSET (SiteScript, name) },
  { "font", FIELD_CUSTOM, G_STRUCT_OFFSET (SiteScript, font), .convert = site_script_path },
  { "control", FIELD_CUSTOM, G_STRUCT_OFFSET (SiteScript, control), .convert = site_script_path },
  { "brokers", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, brokers), .form = &broker_form },
  { "cameras", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, cameras), .form = &site_script_camera_form },
  { "sensors", FIELD_LIST, G_STRUCT_OFFSET (SiteScript, sensors), .form = &site_script_sensor_form },
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
