#include "gateway/core/topic_filter.h"

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

static gboolean is_wild (const char *filter)
{
  return strpbrk (filter, "+#") != NULL;
}

gboolean topic_filters_overlap (const char *first, const char *second)
{
  g_auto (GStrv) left = g_strsplit (first, "/", -1), right = g_strsplit (second, "/", -1);
  guint i = 0;
  for (; left[i] != NULL && right[i] != NULL; i++) {
    if (strcmp (left[i], "#") == 0 || strcmp (right[i], "#") == 0)
      return TRUE;
    if (strcmp (left[i], "+") != 0 && strcmp (right[i], "+") != 0 && strcmp (left[i], right[i]) != 0)
      return FALSE;
  }
  const char *rest = left[i] != NULL ? left[i] : right[i];
  return rest == NULL || strcmp (rest, "#") == 0; /* a/# matches a */
}

/* The narrowest filter that covers both. */
static char *cover (const char *first, const char *second)
{
  g_auto (GStrv) left = g_strsplit (first, "/", -1), right = g_strsplit (second, "/", -1);
  GString *text = g_string_new (NULL);
  guint i = 0;
  for (; left[i] != NULL && right[i] != NULL && strcmp (left[i], "#") != 0 && strcmp (right[i], "#") != 0; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? "/" : "", strcmp (left[i], right[i]) == 0 ? left[i] : "+");
  if (left[i] != NULL || right[i] != NULL)
    g_string_append (text, i > 0 ? "/#" : "#");
  return g_string_free (text, FALSE);
}

/* Filters with wildcards, until no two of them overlap. */
static void merge_overlapping (GPtrArray *wild)
{
  for (guint i = 0; i < wild->len; i++)
    for (guint j = 0; j < wild->len; j++) {
      if (i == j || !topic_filters_overlap (wild->pdata[i], wild->pdata[j]))
        continue;
      char *merged = cover (wild->pdata[i], wild->pdata[j]);
      g_ptr_array_remove_index (wild, MAX (i, j));
      g_ptr_array_remove_index (wild, MIN (i, j));
      g_ptr_array_insert (wild, (int) MIN (i, j), merged);
      i = j = G_MAXUINT; /* it may overlap with what didn't before: from the start */
      break;
    }
}

static gboolean is_matched (const GPtrArray *wild, const char *topic)
{
  for (guint i = 0; i < wild->len; i++)
    if (topic_filter_matches (wild->pdata[i], topic))
      return TRUE;
  return FALSE;
}

GStrv topic_filters_reduce (const GPtrArray *filters)
{
  g_autoptr (GPtrArray) wild = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GPtrArray *kept = g_ptr_array_new ();
  for (guint i = 0; i < filters->len; i++)
    if (is_wild (filters->pdata[i]))
      g_ptr_array_add (wild, g_strdup (filters->pdata[i]));
  merge_overlapping (wild);
  for (guint i = 0; i < wild->len; i++)
    g_ptr_array_add (kept, g_strdup (wild->pdata[i]));
  for (guint i = 0; i < filters->len; i++) {
    char *filter = filters->pdata[i];
    if (!is_wild (filter) && g_hash_table_add (seen, filter) && !is_matched (wild, filter))
      g_ptr_array_add (kept, g_strdup (filter));
  }
  g_ptr_array_add (kept, NULL);
  return (GStrv) g_ptr_array_free (kept, FALSE);
}
