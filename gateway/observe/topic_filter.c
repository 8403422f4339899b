#include "gateway/observe/topic_filter.h"

#include <string.h>

static gsize level_length (const char *at)
{
  return strcspn (at, "/");
}

static gboolean level_is (const char *at, gsize length, char wildcard)
{
  return length == 1 && at[0] == wildcard;
}

/* `narrow` may be a filter itself: its + is a level that only + covers, its # one that only # covers. */
gboolean topic_filter_covers (const char *wide, const char *narrow)
{
  if (narrow[0] == '$' && (wide[0] == '+' || wide[0] == '#'))
    return FALSE;
  for (;;) {
    gsize wide_length = level_length (wide), narrow_length = level_length (narrow);
    if (level_is (wide, wide_length, '#'))
      return TRUE;
    if (level_is (narrow, narrow_length, '#'))
      return FALSE;
    if (!level_is (wide, wide_length, '+') && (wide_length != narrow_length || memcmp (wide, narrow, wide_length) != 0))
      return FALSE;
    wide += wide_length;
    narrow += narrow_length;
    if (*narrow == '\0')
      return *wide == '\0' || strcmp (wide, "/#") == 0; /* a/# matches a */
    if (*wide == '\0')
      return FALSE;
    wide++;
    narrow++;
  }
}

gboolean topic_filter_matches (const char *filter, const char *topic)
{
  return topic_filter_covers (filter, topic);
}

static gboolean is_covered (const GPtrArray *filters, guint index)
{
  const char *filter = filters->pdata[index];
  for (guint i = 0; i < filters->len; i++) {
    const char *other = filters->pdata[i];
    if (i != index && topic_filter_covers (other, filter) && (i < index || !topic_filter_covers (filter, other)))
      return TRUE;
  }
  return FALSE;
}

GStrv topic_filters_reduce (const GPtrArray *filters)
{
  GPtrArray *kept = g_ptr_array_new ();
  for (guint i = 0; i < filters->len; i++)
    if (!is_covered (filters, i))
      g_ptr_array_add (kept, g_strdup (filters->pdata[i]));
  g_ptr_array_add (kept, NULL);
  return (GStrv) g_ptr_array_free (kept, FALSE);
}
