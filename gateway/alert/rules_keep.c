/* rules_keep.c: what rules remember and write later, and what they forget before it is read again. */
#include "gateway/alert/rules_private.h"

gboolean feed_has_memory (const Feed *feed)
{
  const RulePlan *plan = feed->watch->plan;
  Condition condition = (plan->terms > 0 ? &plan->term[feed->term] : &plan->step[0])->condition;
  return feed->window != NULL || condition == CONDITION_CHANGED || condition == CONDITION_SILENT;
}

void rules_keep_feed_later (Rules *rules, Feed *feed)
{
  if (feed->is_unkept || rules->port.remember == NULL)
    return;
  feed->is_unkept = TRUE;
  g_ptr_array_add (rules->unkept_feeds, feed);
}

/* The value before was written with what it caused; windows and silence may be ahead of their rows by now. */
static void forget_feed (Rules *rules, Feed *feed)
{
  feed->has_last = FALSE;
  if (feed_has_memory (feed))
    rules_keep_feed_later (rules, feed);
}

void rules_forget (Rules *rules)
{
  GHashTableIter iter;
  gpointer watch;
  g_hash_table_iter_init (&iter, rules->late);
  while (g_hash_table_iter_next (&iter, &watch, NULL))
    due_heap_set (rules->heap, watch, G_MAXINT64);
  g_hash_table_remove_all (rules->unkept);
  g_hash_table_remove_all (rules->late);
  g_hash_table_iter_init (&iter, rules->watches);
  while (g_hash_table_iter_next (&iter, &watch, NULL))
    watch_reset (watch);
  for (guint i = 0; i < rules->feeds->len; i++)
    forget_feed (rules, rules->feeds->pdata[i]);
}

gboolean rules_have_unkept (const Rules *rules)
{
  return rules->unkept_feeds->len > 0 || g_hash_table_size (rules->unkept) > 0;
}

gboolean rules_flush (Rules *rules, GError **error)
{
  GHashTableIter iter;
  gpointer watch;
  g_hash_table_iter_init (&iter, rules->unkept);
  while (rules->port.keep != NULL && g_hash_table_iter_next (&iter, &watch, NULL))
    if (!rules->port.keep (rules->port.self, watch, error))
      return FALSE;
  g_hash_table_remove_all (rules->unkept);
  for (guint i = 0; i < rules->unkept_feeds->len; i++) {
    Feed *feed = rules->unkept_feeds->pdata[i];
    if (!rules->port.remember (rules->port.self, feed, error))
      return FALSE;
  }
  for (guint i = 0; i < rules->unkept_feeds->len; i++)
    ((Feed *) rules->unkept_feeds->pdata[i])->is_unkept = FALSE;
  g_ptr_array_set_size (rules->unkept_feeds, 0);
  return TRUE;
}
