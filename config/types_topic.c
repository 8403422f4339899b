#include "config/reader.h"
#include "config/types.h"

#include <string.h>

enum { TOPIC_BYTES_MAX = 1024 };

/* MQTT 5.0 4.7.1: '+' stands for a whole level, '#' for all that follows and only at the end. */
static gboolean topic_is_right (const char *topic)
{
  if (strlen (topic) > TOPIC_BYTES_MAX || topic[0] == '$')
    return FALSE;
  g_auto (GStrv) levels = g_strsplit (topic, "/", -1);
  for (guint i = 0; levels[i] != NULL; i++)
    if (strpbrk (levels[i], "+#") != NULL && (strlen (levels[i]) != 1 || (levels[i][0] == '#' && levels[i + 1] != NULL)))
      return FALSE;
  return TRUE;
}

static gboolean read_topic (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  return topic_is_right (text) ? type_text.read (reader, key, node, field) : reader_mismatch (reader, key, node);
}

const ValueType type_topic = { "an MQTT topic ('+' only as a whole level, '#' only at the end)", read_topic, show_text,
                               schema_text };
