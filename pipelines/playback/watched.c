#include "pipelines/playback/watched.h"

#include "gateway/core/clock.h"

#define SLACK_US ((gint64) G_USEC_PER_SEC)

typedef struct {
  gint64 from_us, to_us; /* wall */
} Span;

void watched_add (Watched *watched, gint64 wall_us, gint64 duration_us)
{
  if (watched->spans == NULL)
    watched->spans = g_array_new (FALSE, FALSE, sizeof (Span));
  guint count = watched->spans->len;
  Span *last = count > 0 ? &g_array_index (watched->spans, Span, count - 1) : NULL;
  Span added = { wall_us, wall_us + duration_us };
  gboolean follows = last != NULL && wall_us >= last->from_us && wall_us <= last->to_us + SLACK_US;
  if (!follows && count < WATCHED_SPANS_MAX) {
    g_array_append_val (watched->spans, added);
    return;
  }
  last->from_us = MIN (last->from_us, added.from_us);
  last->to_us = MAX (last->to_us, added.to_us);
}

char *watched_text (const Watched *watched)
{
  if (watched->spans == NULL)
    return NULL;
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < watched->spans->len; i++) {
    const Span *span = &g_array_index (watched->spans, Span, i);
    g_autofree char *from = time_to_rfc3339 (span->from_us), *to = time_to_rfc3339 (span->to_us);
    g_string_append_printf (text, "%s%s/%s", i > 0 ? ", " : "", from, to);
  }
  return g_string_free (text, FALSE);
}

void watched_clear (Watched *watched)
{
  g_clear_pointer (&watched->spans, g_array_unref);
}
