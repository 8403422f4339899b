#include "gateway/core/topic_template.h"

#include <string.h>

gboolean topic_template_is (const char *text)
{
  return strpbrk (text, "{}") != NULL;
}

static gboolean is_name (const char *text, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '_')
      return FALSE;
  return length > 0;
}

/* Whether a level is {name}; `*length` is the name's, which starts after the brace. */
static gboolean is_named (const char *level, gsize *length)
{
  gsize size = strlen (level);
  *length = size >= 2 ? size - 2 : 0;
  return size > 2 && level[0] == '{' && level[size - 1] == '}' && is_name (level + 1, *length);
}

static char *level_problem (char **levels, guint at)
{
  gsize length;
  if (strcmp (levels[at], "#") == 0 && levels[at + 1] != NULL)
    return g_strdup ("# stands before other levels");
  if (strpbrk (levels[at], "{}") == NULL)
    return NULL;
  if (strchr (levels[at], '{') != NULL && strchr (levels[at], '}') == NULL)
    return g_strdup_printf ("the brace in \"%s\" is not closed before the level ends", levels[at]);
  if (!is_named (levels[at], &length))
    return g_strdup_printf ("\"%s\" is no {name} of letters, digits and '_' that fills its level", levels[at]);
  for (guint i = 0; i < at; i++)
    if (strcmp (levels[i], levels[at]) == 0)
      return g_strdup_printf ("%s stands twice", levels[at]);
  return NULL;
}

char *topic_template_problem (const char *topic)
{
  g_auto (GStrv) levels = g_strsplit (topic, "/", -1);
  char *problem = NULL;
  for (guint i = 0; levels[i] != NULL && problem == NULL; i++)
    problem = level_problem (levels, i);
  return problem;
}

static const char *captured (char **levels, char **real, const char *name, gsize length)
{
  for (guint i = 0; levels[i] != NULL; i++) {
    gsize size;
    if (is_named (levels[i], &size) && size == length && strncmp (levels[i] + 1, name, length) == 0)
      return real != NULL ? real[i] : "";
  }
  return NULL;
}

char *topic_template_text_problem (const char *topic, const char *text)
{
  g_auto (GStrv) levels = g_strsplit (topic, "/", -1);
  for (const char *at = strpbrk (text, "{}"); at != NULL; at = strpbrk (at + 1, "{}")) {
    const char *end = *at == '{' ? strpbrk (at + 1, "{}") : NULL;
    if (end == NULL || *end != '}')
      return g_strdup_printf ("a brace in \"%s\" is not closed, or was not opened", text);
    if (captured (levels, NULL, at + 1, (gsize) (end - at - 1)) == NULL)
      return g_strdup_printf ("%.*s is no level of the topic", (int) (end + 1 - at), at);
    at = end;
  }
  return NULL;
}

char *topic_template_filter (const char *topic)
{
  g_auto (GStrv) levels = g_strsplit (topic, "/", -1);
  gsize length;
  for (guint i = 0; levels[i] != NULL; i++)
    if (is_named (levels[i], &length))
      strcpy (levels[i], "+"); /* shorter */
  return g_strjoinv ("/", levels);
}

/* The wildcard at the first level doesn't reach topics that start with $ (MQTT 5.0 4.7.2). What has a name has something in it. */
static gboolean level_takes (const char *level, gsize length, const char *real, gsize real_length, gboolean is_first)
{
  gboolean is_named_level = length > 2 && level[0] == '{';
  if (!is_named_level && !(length == 1 && level[0] == '+'))
    return length == real_length && memcmp (level, real, length) == 0;
  return (!is_first || real[0] != '$') && (!is_named_level || real_length > 0);
}

gboolean topic_template_takes (const char *topic, const char *real)
{
  for (gboolean is_first = TRUE;; is_first = FALSE) {
    gsize length = strcspn (topic, "/"), real_length = strcspn (real, "/");
    if (length == 1 && topic[0] == '#')
      return !is_first || real[0] != '$';
    if (!level_takes (topic, length, real, real_length, is_first))
      return FALSE;
    topic += length;
    real += real_length;
    if (*topic == '\0' || *real == '\0')
      return *topic == *real || strcmp (topic, "/#") == 0; /* a/# takes a */
    topic++;
    real++;
  }
}

char *topic_template_fill (const char *topic, const char *real, const char *text)
{
  if (!topic_template_takes (topic, real))
    return NULL;
  g_auto (GStrv) levels = g_strsplit (topic, "/", -1), found = g_strsplit (real, "/", -1);
  GString *filled = g_string_new (NULL);
  for (const char *at = text; *at != '\0';) {
    const char *end = *at == '{' ? strchr (at, '}') : NULL;
    const char *value = end != NULL ? captured (levels, found, at + 1, (gsize) (end - at - 1)) : NULL;
    g_string_append_len (filled, value != NULL ? value : at, value != NULL ? (gssize) strlen (value) : 1);
    at = value != NULL ? end + 1 : at + 1;
  }
  return g_string_free (filled, FALSE);
}

/* The first place at or after `at` where the literal of `length` bytes stands. */
static const char *find (const char *at, const char *literal, gsize length)
{
  for (gsize left = strlen (at); left >= length; at++, left--)
    if (memcmp (at, literal, length) == 0)
      return at;
  return NULL;
}

/* Each name takes as little as it can, which is right: only the last literal is bound to a place. */
gboolean topic_template_may_make (const char *text, const char *made)
{
  gsize length = strcspn (text, "{");
  if (strncmp (text, made, length) != 0)
    return FALSE;
  made += length;
  for (text += length; *text != '\0'; text += length) {
    const char *end = strchr (text, '}');
    if (end == NULL || *made == '\0')
      return FALSE;
    text = end + 1;
    length = strcspn (text, "{");
    if (text[length] == '\0')
      return strlen (made) > length && strcmp (made + strlen (made) - length, text) == 0;
    made = find (made + 1, text, length);
    if (made == NULL)
      return FALSE;
    made += length;
  }
  return *made == '\0';
}
