#include "config/references.h"

#include "gateway/core/topic_filter.h"
#include "gateway/core/topic_template.h"

#include <string.h>

static const YamlNode *node_of (const Reader *reader, gconstpointer item, const char *key)
{
  const YamlNode *map = g_hash_table_lookup (reader->nodes, item);
  const YamlNode *value = yaml_map_get (map, key);
  return value != NULL ? value : map;
}

static void default_text (char **place, const char *text)
{
  if (*place == NULL)
    *place = g_strdup (text);
}

/* The root stands first, whether the files name it or not. */
static void complete_grids (Site *site)
{
  const char *division = site->gateway.division;
  Grid *root = NULL;
  for (guint i = 0; i < site->grids->len; i++) {
    Grid *grid = site->grids->pdata[i];
    default_text (&grid->name, grid->id);
    if (g_strcmp0 (grid->id, division) == 0 && root == NULL) {
      root = g_ptr_array_steal_index (site->grids, i--);
      continue;
    }
    default_text (&grid->parent, division);
  }
  if (root == NULL) {
    root = g_new0 (Grid, 1);
    root->id = g_strdup (division);
    root->name = g_strdup (site->gateway.name);
    root->area = g_array_new (FALSE, FALSE, sizeof (Location));
  }
  g_ptr_array_insert (site->grids, 0, root);
}

static void complete_brokers (Site *site)
{
  for (guint i = 0; i < site->brokers->len; i++) {
    Broker *broker = site->brokers->pdata[i];
    if (broker->client_id == NULL)
      broker->client_id = g_strdup_printf ("gridgate-%s-%s", site->gateway.id, broker->id);
  }
  for (guint i = 0; i < site->centers->len; i++) {
    Center *center = site->centers->pdata[i];
    if (center->client_id == NULL)
      center->client_id = g_strdup_printf ("gridgate-%s-%s-out", site->gateway.id, center->id);
  }
}

static void complete_recording (const RecordingSettings *site, CameraRecording *camera)
{
  if ((int) camera->mode == -1)
    camera->mode = site->mode;
  if (camera->pre_roll_us < 0)
    camera->pre_roll_us = site->pre_roll_us;
  if (camera->retain_us < 0)
    camera->retain_us = site->retain_us;
  if (camera->keep_at_least_us < 0)
    camera->keep_at_least_us = MIN (site->keep_at_least_us, camera->retain_us);
}

static void complete_devices (Site *site)
{
  const char *division = site->gateway.division;
  for (guint i = 0; i < site->cameras->len; i++) {
    Camera *camera = site->cameras->pdata[i];
    default_text (&camera->name, camera->id);
    default_text (&camera->grid, division);
    complete_recording (&site->recording, &camera->recording);
  }
  for (guint i = 0; i < site->sensors->len; i++) {
    Sensor *sensor = site->sensors->pdata[i];
    default_text (&sensor->name, sensor->id);
    default_text (&sensor->grid, division);
  }
}

static void complete_policies (Site *site)
{
  for (guint i = 0; i < site->rules->len; i++) {
    Rule *rule = site->rules->pdata[i];
    default_text (&rule->name, rule->id);
  }
  for (guint i = 0; i < site->agencies->len; i++) {
    Agency *agency = site->agencies->pdata[i];
    default_text (&agency->name, agency->id);
    for (guint j = 0; j < agency->grants->len; j++) {
      Grant *grant = agency->grants->pdata[j];
      const char *const whole[] = { site->gateway.division, NULL };
      if (grant->grids == NULL)
        grant->grids = g_strdupv ((GStrv) whole);
    }
  }
}

/* Sensors whose topics have named levels are none yet. */
static void separate_templates (Site *site)
{
  for (guint i = 0; i < site->sensors->len;) {
    const Sensor *sensor = site->sensors->pdata[i];
    if (sensor->topic != NULL && topic_template_is (sensor->topic))
      g_ptr_array_add (site->templates, g_ptr_array_steal_index (site->sensors, i));
    else
      i++;
  }
}

void site_complete (Reader *reader)
{
  Site *site = reader->site;
  GatewaySettings *gateway = &site->gateway;
  default_text (&gateway->name, gateway->id);
  if (gateway->runtime_dir == NULL)
    gateway->runtime_dir = g_str_has_prefix (gateway->data_dir, "/var/lib/")
                               ? g_strdup ("/run/gridgate")
                               : g_build_filename (gateway->data_dir, "run", NULL);
  if (site->recording.keep_at_least_us < 0)
    site->recording.keep_at_least_us = site->recording.retain_us;
  complete_grids (site);
  complete_brokers (site);
  complete_devices (site);
  complete_policies (site);
  separate_templates (site);
}

/* Also notes where each item stands. */
static void check_ids (Reader *reader, SiteKind kind)
{
  const GPtrArray *items = site_list (reader->site, kind);
  for (guint i = 0; i < items->len; i++) {
    const char *id = *(char **) items->pdata[i];
    const YamlNode *map = g_hash_table_lookup (reader->nodes, items->pdata[i]);
    if (id == NULL || map == NULL)
      continue;
    const SiteOrigin *first = site_origin (reader->site, kind, id);
    if (first != NULL) {
      reader_refuse (reader, yaml_map_get (map, "id"), "%s %s stands twice, first at %s:%u", section_of_kind (kind)->name,
                     id, first->file, first->line);
      continue;
    }
    SiteOrigin *origin = g_new0 (SiteOrigin, 1);
    origin->file = g_strdup (problems_file (reader->problems, map->file));
    origin->line = map->line;
    g_hash_table_insert (reader->site->origins, g_strconcat (site_kind_name (kind), "/", id, NULL), origin);
  }
}

/* The sensor; or the template that may become it, whose grid is known when it is the same for all. NULL: neither. */
static const Sensor *sensor_or_template (const Site *site, const char *id)
{
  const Sensor *sensor = site_sensor (site, id);
  for (guint i = 0; sensor == NULL && i < site->templates->len; i++) {
    const Sensor *template = site->templates->pdata[i];
    if (template->id != NULL && topic_template_is (template->id) && topic_template_may_make (template->id, id))
      sensor = template;
  }
  return sensor;
}

static void check_reference (Reader *reader, const Reference *reference)
{
  const char *id = reference->node->text, *name = section_of_kind (reference->kind)->name;
  if (site_find (reader->site, reference->kind, id) != NULL
      || (reference->kind == SITE_SENSORS && sensor_or_template (reader->site, id) != NULL))
    return;
  g_autoptr (GPtrArray) known = g_ptr_array_new ();
  const GPtrArray *items = site_list (reader->site, reference->kind);
  for (guint i = 0; i < items->len; i++)
    if (*(char **) items->pdata[i] != NULL)
      g_ptr_array_add (known, *(char **) items->pdata[i]);
  const char *nearest = nearest_name (id, known);
  if (nearest != NULL)
    reader_refuse (reader, reference->node, "%s: there is no %s %s; did you mean %s?", reference->key, name, id, nearest);
  else
    reader_refuse (reader, reference->node, "%s: there is no %s %s, expected one that stands under %s", reference->key,
                   name, id, site_kind_name (reference->kind));
}

/* One problem for each grid whose way up returns to itself. */
static void check_grid_tree (Reader *reader)
{
  const Site *site = reader->site;
  for (guint i = 0; i < site->grids->len; i++) {
    const Grid *grid = site->grids->pdata[i];
    const Grid *above = site_grid (site, grid->parent);
    for (guint steps = 0; above != NULL && above != grid && steps < site->grids->len; steps++)
      above = site_grid (site, above->parent);
    const YamlNode *node = node_of (reader, grid, "parent");
    if (above != grid || node == NULL)
      continue;
    if (grid == site->grids->pdata[0])
      reader_refuse (reader, node, "parent: grid %s is the gateway's division, the root, expected no parent", grid->id);
    else
      reader_refuse (reader, node, "parent: grid %s lies within itself, expected a way up to %s", grid->id,
                     site->gateway.division);
  }
}

static gboolean sensor_measures (const Sensor *sensor, const char *metric)
{
  for (guint i = 0; i < sensor->metrics->len; i++)
    if (g_strcmp0 (((const Metric *) sensor->metrics->pdata[i])->name, metric) == 0)
      return TRUE;
  return FALSE;
}

static void check_rule_sensors (Reader *reader, const Rule *rule, const YamlNode *names, const char *metric,
                                gboolean needs_metric)
{
  for (guint i = 0; names != NULL && names->kind == YAML_LIST && i < names->children->len; i++) {
    const YamlNode *name = names->children->pdata[i];
    const Sensor *sensor = sensor_or_template (reader->site, name->text);
    if (sensor == NULL || sensor->metrics == NULL)
      continue;
    if (metric == NULL && needs_metric && sensor->metrics->len > 1)
      reader_refuse (reader, name, "sensors: sensor %s measures more than one thing, expected metric beside sensors",
                     name->text);
    if (metric != NULL && !sensor_measures (sensor, metric))
      reader_refuse (reader, name, "sensors: sensor %s does not measure %s, expected one that does", name->text, metric);
    if (rule->match_sensors != NULL && !g_strv_contains ((const char *const *) rule->match_sensors, name->text))
      reader_refuse (reader, name, "sensors: sensor %s is not of those that the rule matches, expected one of them",
                     name->text);
  }
}

/* What `all` and `any` combine stands in one grid, so that the alert has a place. */
static void check_one_grid (Reader *reader, const YamlNode *names)
{
  const Sensor *first = NULL;
  for (guint i = 0; names != NULL && names->kind == YAML_LIST && i < names->children->len; i++) {
    const YamlNode *name = names->children->pdata[i];
    const Sensor *sensor = site_sensor (reader->site, name->text);
    if (sensor == NULL || sensor->grid == NULL)
      continue;
    if (first != NULL && strcmp (first->grid, sensor->grid) != 0)
      reader_refuse (reader, name, "sensors: sensor %s stands in grid %s and %s in grid %s, expected sensors of one grid",
                     sensor->id, sensor->grid, first->id, first->grid);
    first = first != NULL ? first : sensor;
  }
}

static void check_rule_terms (Reader *reader, const Rule *rule, const GPtrArray *terms)
{
  for (guint i = 0; terms != NULL && i < terms->len; i++) {
    const RuleTerm *term = terms->pdata[i];
    const YamlNode *node = g_hash_table_lookup (reader->nodes, term);
    check_rule_sensors (reader, rule, yaml_map_get (node, "sensors"), term->metric, TRUE);
  }
}

/* A way from alert to alert that comes back keeps all of them quiet once two are open. */
static void check_unless (Reader *reader, const Rule *rule, const Unless *unless)
{
  const YamlNode *node = yaml_map_get (g_hash_table_lookup (reader->nodes, unless), "alert");
  const Site *site = reader->site;
  if (unless->alert == NULL || node == NULL)
    return;
  if (site_rule (site, unless->alert) == NULL && !rule_is_built_in (unless->alert)) {
    reader_refuse (reader, node, "alert: there is no rule %s, expected one that stands under rules, or a built-in one",
                   unless->alert);
    return;
  }
  const Rule *next = site_rule (site, unless->alert);
  for (guint steps = 0; next != NULL && next != rule && steps < site->rules->len; steps++)
    next = site_rule (site, next->unless.alert);
  if (rule != NULL && next == rule)
    reader_refuse (reader, node, "alert: rule %s waits for itself in the end, expected a way that ends", rule->id);
}

void rule_check (Reader *reader, const Rule *rule)
{
  const YamlNode *map = g_hash_table_lookup (reader->nodes, rule);
  const YamlNode *names = yaml_map_get (yaml_map_get (map, "match"), "sensors");
  gboolean has_terms = rule->when.all != NULL || rule->when.any != NULL;
  gboolean is_silent = comparison_condition (&rule->when.comparison) == CONDITION_SILENT;
  check_rule_sensors (reader, rule, names, rule->match_metric, !has_terms && !is_silent);
  if (has_terms)
    check_one_grid (reader, names);
  check_rule_terms (reader, rule, rule->when.all);
  check_rule_terms (reader, rule, rule->when.any);
  check_unless (reader, rule, &rule->unless);
}

void references_check (Reader *reader, gboolean has_division)
{
  for (guint i = 0; i < reader->references->len; i++) {
    const Reference *reference = &g_array_index (reader->references, Reference, i);
    if (has_division || reference->kind != SITE_GRIDS)
      check_reference (reader, reference);
  }
}

static void check_recording (Reader *reader, const Camera *camera)
{
  const YamlNode *map = yaml_map_get (g_hash_table_lookup (reader->nodes, camera), "recording");
  if (map == NULL)
    return;
  if (camera->recording.is_sub && camera->sub == NULL)
    reader_refuse (reader, yaml_map_get (map, "stream"), "stream: camera %s has no sub stream, expected streams.sub",
                   camera->id);
  if (camera->recording.keep_at_least_us > camera->recording.retain_us)
    reader_refuse (reader, yaml_map_get (map, "keep_at_least"),
                   "keep_at_least is longer than retain of camera %s, expected at most as long", camera->id);
}

/* Whose a message of both would be can't be said. */
static void check_overlap (Reader *reader, const Sensor *template, const Sensor *other)
{
  if (template->topic == NULL || other->topic == NULL || g_strcmp0 (template->broker, other->broker) != 0)
    return;
  g_autofree char *left = topic_template_filter (template->topic), *right = topic_template_filter (other->topic);
  const YamlNode *first = node_of (reader, other, "topic");
  if (first != NULL && topic_filters_overlap (left, right))
    reader_refuse (reader, node_of (reader, template, "topic"),
                   "topic: %s and %s at %s:%u may both take a message, expected topics that differ at a level without a name",
                   template->topic, other->topic, problems_file (reader->problems, first->file), first->line);
}

static void check_templates (Reader *reader)
{
  const GPtrArray *templates = reader->site->templates;
  for (guint i = 0; i < templates->len; i++)
    for (guint j = 0; j < i; j++)
      check_overlap (reader, templates->pdata[i], templates->pdata[j]);
}

void site_check (Reader *reader, gboolean has_division)
{
  for (SiteKind kind = 0; kind < SITE_KINDS; kind++)
    check_ids (reader, kind);
  site_publish (reader->site);
  references_check (reader, has_division);
  check_grid_tree (reader);
  check_templates (reader);
  for (guint i = 0; i < reader->site->rules->len; i++)
    rule_check (reader, reader->site->rules->pdata[i]);
  for (guint i = 0; i < reader->site->cameras->len; i++)
    check_recording (reader, reader->site->cameras->pdata[i]);
  check_unless (reader, NULL, &reader->site->alerts.unless);
}
