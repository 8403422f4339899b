#include "gateway/access/view_expected.h"

#include "gateway/access/access_private.h"

static void drop_oldest (GHashTable *views)
{
  GHashTableIter iter;
  gpointer value;
  ExpectedView *oldest = NULL;
  g_hash_table_iter_init (&iter, views);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (oldest == NULL || ((ExpectedView *) value)->admitted_us < oldest->admitted_us)
      oldest = value;
  if (oldest != NULL) {
    g_hash_table_remove (views, oldest->id);
    expected_view_free (oldest);
  }
}

void expected_view_put (Access *access, ExpectedView *view)
{
  view->admitted_us = clock_monotonic_us (store_clock (access->store));
  g_mutex_lock (&access->mutex);
  ExpectedView *before = g_hash_table_lookup (access->expected_views, view->id);
  if (before != NULL)
    g_hash_table_remove (access->expected_views, view->id);
  else if (g_hash_table_size (access->expected_views) >= EXPECTED_VIEWS)
    drop_oldest (access->expected_views);
  g_hash_table_insert (access->expected_views, view->id, view);
  g_mutex_unlock (&access->mutex);
  expected_view_free (before);
}

ExpectedView *expected_view_take (Access *access, const char *viewer)
{
  g_mutex_lock (&access->mutex);
  ExpectedView *view = g_hash_table_lookup (access->expected_views, viewer);
  if (view != NULL)
    g_hash_table_remove (access->expected_views, viewer);
  g_mutex_unlock (&access->mutex);
  return view;
}

ExpectedView *expected_view_unknown (const char *viewer, const char *camera, const char *stream)
{
  ExpectedView *view = g_new0 (ExpectedView, 1);
  view->id = g_strdup (viewer);
  view->camera = g_strdup (camera);
  view->stream = g_strdup (stream);
  view->kind = "live";
  view->address = g_strdup ("");
  view->reason = g_strdup ("admitted by a former run of the gateway");
  view->actor.name = g_strdup ("unknown");
  return view;
}

void expected_views_free (Access *access)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, access->expected_views);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    expected_view_free (value);
  g_hash_table_unref (access->expected_views);
}

void expected_view_free (ExpectedView *view)
{
  if (view == NULL)
    return;
  actor_clear (&view->actor);
  g_free (view->id);
  g_free (view->camera);
  g_free (view->stream);
  g_free (view->address);
  g_free (view->reason);
  g_free (view->credential);
  g_free (view->subject);
  g_free (view);
}
