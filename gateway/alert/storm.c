#include "gateway/alert/storm.h"

typedef struct {
  gint64 *times; /* a ring of one more than may open in a minute; G_MININT64: never */
  guint next;
  gint64 resumed_until;
} GridRate;

struct Storm {
  guint most;
  GHashTable *grids; /* id → GridRate */
};

static void rate_free (gpointer data)
{
  GridRate *rate = data;
  g_free (rate->times);
  g_free (rate);
}

Storm *storm_new (guint most)
{
  Storm *storm = g_new0 (Storm, 1);
  storm->most = most;
  storm->grids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, rate_free);
  return storm;
}

static GridRate *rate_of (Storm *storm, const char *grid)
{
  GridRate *rate = g_hash_table_lookup (storm->grids, grid);
  if (rate != NULL)
    return rate;
  rate = g_new0 (GridRate, 1);
  rate->times = g_new (gint64, storm->most + 1);
  for (guint i = 0; i <= storm->most; i++)
    rate->times[i] = G_MININT64;
  g_hash_table_insert (storm->grids, g_strdup (grid), rate);
  return rate;
}

static gint64 end_of (const GridRate *rate)
{
  gint64 oldest = rate->times[rate->next];
  return MAX (oldest != G_MININT64 ? oldest + STORM_MINUTE_US : G_MININT64, rate->resumed_until);
}

gboolean storm_note (Storm *storm, const char *grid, gint64 now)
{
  if (storm->most == 0)
    return FALSE;
  GridRate *rate = rate_of (storm, grid);
  rate->times[rate->next] = now;
  rate->next = (rate->next + 1) % (storm->most + 1);
  return end_of (rate) > now;
}

void storm_resume (Storm *storm, const char *grid, gint64 now)
{
  if (storm->most > 0)
    rate_of (storm, grid)->resumed_until = now + STORM_MINUTE_US;
}

gint64 storm_end (const Storm *storm, const char *grid)
{
  const GridRate *rate = g_hash_table_lookup (storm->grids, grid);
  return rate != NULL ? end_of (rate) : G_MININT64;
}

void storm_free (Storm *storm)
{
  if (storm == NULL)
    return;
  g_hash_table_unref (storm->grids);
  g_free (storm);
}
