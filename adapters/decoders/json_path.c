#include "adapters/decoders/json_path.h"

#include <string.h>

#include "gateway/core/error.h"

enum { STEPS_MAX = 32, INDEX_DIGITS_MAX = 6 };

typedef struct {
  char *name; /* NULL: an index */
  gint64 index;
} Step;

struct JsonPath {
  char *text;
  GArray *steps; /* of Step */
};

static void step_clear (gpointer step)
{
  g_free (((Step *) step)->name);
}

static const char *parse_dotted (JsonPath *path, const char *at)
{
  gsize length = strcspn (at, ".[]\"' *");
  if (length == 0)
    return NULL;
  Step step = { g_strndup (at, length), 0 };
  g_array_append_val (path->steps, step);
  return at + length;
}

static const char *parse_quoted (JsonPath *path, const char *at)
{
  const char *end = strchr (at + 1, *at);
  if (end == NULL || end[1] != ']')
    return NULL;
  Step step = { g_strndup (at + 1, (gsize) (end - at - 1)), 0 };
  g_array_append_val (path->steps, step);
  return end + 2;
}

static const char *parse_index (JsonPath *path, const char *at)
{
  const char *digits = *at == '-' ? at + 1 : at;
  gsize length = strspn (digits, "0123456789");
  if (length == 0 || length > INDEX_DIGITS_MAX || digits[length] != ']')
    return NULL;
  Step step = { NULL, g_ascii_strtoll (at, NULL, 10) };
  g_array_append_val (path->steps, step);
  return digits + length + 1;
}

static const char *parse_step (JsonPath *path, const char *at)
{
  if (*at == '.')
    return parse_dotted (path, at + 1);
  if (*at != '[')
    return NULL;
  return at[1] == '\'' || at[1] == '"' ? parse_quoted (path, at + 1) : parse_index (path, at + 1);
}

JsonPath *json_path_parse (const char *text, GError **error)
{
  g_autoptr (JsonPath) path = g_new0 (JsonPath, 1);
  path->text = g_strdup (text);
  path->steps = g_array_new (FALSE, FALSE, sizeof (Step));
  g_array_set_clear_func (path->steps, step_clear);

  const char *at = text;
  if (*at++ != '$') {
    error_set (error, ERROR_RECONFIGURE, "path \"%s\" must start with $, like $.level or $.data[0].value", text);
    return NULL;
  }
  while (*at != '\0') {
    const char *next = path->steps->len < STEPS_MAX ? parse_step (path, at) : NULL;
    if (next == NULL) {
      error_set (error, ERROR_RECONFIGURE,
                 "path \"%s\": not understood from character %d on; use .name, ['name'] and [0], at most %d of them",
                 text, (int) (at - text) + 1, STEPS_MAX);
      return NULL;
    }
    at = next;
  }
  return g_steal_pointer (&path);
}

const char *json_path_text (const JsonPath *path)
{
  return path->text;
}

json_t *json_path_find (const JsonPath *path, json_t *root)
{
  json_t *value = root;
  for (guint i = 0; i < path->steps->len && value != NULL; i++) {
    const Step *step = &g_array_index (path->steps, Step, i);
    if (step->name != NULL) {
      value = json_object_get (value, step->name);
    } else {
      gint64 index = step->index < 0 ? (gint64) json_array_size (value) + step->index : step->index;
      value = index >= 0 ? json_array_get (value, (size_t) index) : NULL;
    }
  }
  return value;
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
