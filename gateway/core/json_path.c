#include "gateway/core/json_path.h"

#include <string.h>

#include "gateway/core/error.h"

enum { INDEX_DIGITS_MAX = 6 };

typedef enum { STEP_NAME, STEP_INDEX, STEP_WILDCARD } StepKind;

typedef struct {
  StepKind kind;
  char *name;
  gint64 index;
} Step;

struct JsonPath {
  char *text;
  GArray *steps; /* of Step */
  guint wildcards;
};

static void step_clear (gpointer step)
{
  g_free (((Step *) step)->name);
}

static const char *add_step (JsonPath *path, Step step, const char *next)
{
  path->wildcards += step.kind == STEP_WILDCARD;
  g_array_append_val (path->steps, step);
  return path->wildcards <= JSON_PATH_WILDCARDS_MAX ? next : NULL;
}

static const char *parse_dotted (JsonPath *path, const char *at)
{
  if (*at == '*')
    return add_step (path, (Step){ STEP_WILDCARD }, at + 1);
  gsize length = strcspn (at, ".[]\"' *");
  return length > 0 ? add_step (path, (Step){ STEP_NAME, g_strndup (at, length) }, at + length) : NULL;
}

static const char *parse_quoted (JsonPath *path, const char *at)
{
  const char *end = strchr (at + 1, *at);
  if (end == NULL || end == at + 1 || end[1] != ']')
    return NULL;
  return add_step (path, (Step){ STEP_NAME, g_strndup (at + 1, (gsize) (end - at - 1)) }, end + 2);
}

static const char *parse_index (JsonPath *path, const char *at)
{
  const char *digits = *at == '-' ? at + 1 : at;
  gsize length = strspn (digits, "0123456789");
  if (length == 0 || length > INDEX_DIGITS_MAX || digits[length] != ']')
    return NULL;
  return add_step (path, (Step){ STEP_INDEX, NULL, g_ascii_strtoll (at, NULL, 10) }, digits + length + 1);
}

static const char *parse_step (JsonPath *path, const char *at)
{
  if (*at == '.')
    return parse_dotted (path, at + 1);
  if (*at != '[')
    return NULL;
  if (at[1] == '*' && at[2] == ']')
    return add_step (path, (Step){ STEP_WILDCARD }, at + 3);
  return at[1] == '\'' || at[1] == '"' ? parse_quoted (path, at + 1) : parse_index (path, at + 1);
}

static void refuse (const char *text, const char *at, gsize *offset, GError **error)
{
  if (offset != NULL)
    *offset = (gsize) (at - text);
  if (at == text)
    error_set (error, ERROR_RECONFIGURE, "path \"%s\" must start with $, like $.level or $.data[0].value", text);
  else
    error_set (error, ERROR_RECONFIGURE,
               "path \"%s\": not understood from character %ld on, expected .name, ['name'], [0] or [*]; at most %d of them"
               " and %d wildcards",
               text, g_utf8_pointer_to_offset (text, at) + 1, JSON_PATH_STEPS_MAX, JSON_PATH_WILDCARDS_MAX);
}

JsonPath *json_path_parse (const char *text, gsize *offset, GError **error)
{
  g_autoptr (JsonPath) path = g_new0 (JsonPath, 1);
  path->text = g_strdup (text);
  path->steps = g_array_new (FALSE, FALSE, sizeof (Step));
  g_array_set_clear_func (path->steps, step_clear);
  const char *at = text[0] == '$' ? text + 1 : text;
  gboolean is_right = text[0] == '$';
  while (is_right && *at != '\0') {
    const char *next = path->steps->len < JSON_PATH_STEPS_MAX ? parse_step (path, at) : NULL;
    is_right = next != NULL;
    at = is_right ? next : at;
  }
  if (is_right)
    return g_steal_pointer (&path);
  refuse (text, at, offset, error);
  return NULL;
}

const char *json_path_text (const JsonPath *path)
{
  return path->text;
}

guint json_path_wildcards (const JsonPath *path)
{
  return path->wildcards;
}

guint json_path_length (const JsonPath *path)
{
  return path->steps->len;
}

const char *json_path_name (const JsonPath *path, guint step)
{
  return step < path->steps->len ? g_array_index (path->steps, Step, step).name : NULL;
}

static json_t *member_of (json_t *value, gsize member)
{
  if (json_is_array (value))
    return json_array_get (value, member);
  void *at = json_object_iter (value); /* NULL when it is no object */
  while (at != NULL && member-- > 0)
    at = json_object_iter_next (value, at);
  return at != NULL ? json_object_iter_value (at) : NULL;
}

static json_t *take_step (const Step *step, json_t *value)
{
  if (step->kind == STEP_NAME)
    return json_object_get (value, step->name);
  gint64 index = step->index < 0 ? (gint64) json_array_size (value) + step->index : step->index;
  return index >= 0 ? json_array_get (value, (size_t) index) : NULL;
}

typedef struct {
  const JsonPath *path;
  JsonPathEach each;
  gpointer data;
  JsonPlace place;
} Walk;

static gboolean walk_from (Walk *walk, guint step, json_t *value);

static gboolean walk_wildcard (Walk *walk, guint step, json_t *value)
{
  gsize size = json_is_array (value) ? json_array_size (value) : 0;
  gsize *member = &walk->place.member[walk->place.count++];
  gboolean goes_on = TRUE;
  for (*member = 0; *member < size && goes_on; (*member)++)
    goes_on = walk_from (walk, step + 1, json_array_get (value, *member));
  for (void *at = json_object_iter (value); at != NULL && goes_on; at = json_object_iter_next (value, at), (*member)++)
    goes_on = walk_from (walk, step + 1, json_object_iter_value (at));
  walk->place.count--;
  return goes_on;
}

static gboolean walk_from (Walk *walk, guint step, json_t *value)
{
  for (; step < walk->path->steps->len && value != NULL; step++) {
    const Step *at = &g_array_index (walk->path->steps, Step, step);
    if (at->kind == STEP_WILDCARD)
      return walk_wildcard (walk, step, value);
    value = take_step (at, value);
  }
  return value == NULL || walk->each (value, &walk->place, walk->data);
}

void json_path_each (const JsonPath *path, json_t *root, JsonPathEach each, gpointer data)
{
  Walk walk = { path, each, data, { 0 } };
  walk_from (&walk, 0, root);
}

json_t *json_path_find_at (const JsonPath *path, json_t *root, const JsonPlace *place)
{
  json_t *value = root;
  guint wildcard = 0;
  for (guint i = 0; i < path->steps->len && value != NULL; i++) {
    const Step *step = &g_array_index (path->steps, Step, i);
    if (step->kind != STEP_WILDCARD) {
      value = take_step (step, value);
      continue;
    }
    value = wildcard < place->count ? member_of (value, place->member[wildcard]) : NULL;
    wildcard++;
  }
  return value;
}

static gboolean take_first (json_t *value, const JsonPlace *place, gpointer data)
{
  (void) place;
  *(json_t **) data = value;
  return FALSE;
}

json_t *json_path_find (const JsonPath *path, json_t *root)
{
  json_t *found = NULL;
  json_path_each (path, root, take_first, &found);
  return found;
}

void json_path_free (JsonPath *path)
{
  if (path == NULL)
    return;
  if (path->steps != NULL)
    g_array_unref (path->steps);
  g_free (path->text);
  g_free (path);
}
