#include "gateway/access/lockout.h"

static const gint64 first_wait_us = 30 * G_TIME_SPAN_SECOND;
static const gint64 longest_wait_us = G_TIME_SPAN_HOUR;
static const gint64 forgotten_after_us = 24 * G_TIME_SPAN_HOUR;

typedef struct {
  guint failures;
  gint64 last_us, until_us;
} Record;

struct Lockout {
  Clock *clock;
  guint free_failures;
  GMutex mutex;
  GHashTable *records; /* key → Record */
};

Lockout *lockout_new (Clock *clock, guint free_failures)
{
  Lockout *lockout = g_new0 (Lockout, 1);
  lockout->clock = clock;
  lockout->free_failures = free_failures;
  g_mutex_init (&lockout->mutex);
  lockout->records = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return lockout;
}

gint64 lockout_wait_us (Lockout *lockout, const char *key)
{
  g_mutex_lock (&lockout->mutex);
  const Record *record = g_hash_table_lookup (lockout->records, key);
  gint64 wait = record != NULL ? record->until_us - clock_monotonic_us (lockout->clock) : 0;
  g_mutex_unlock (&lockout->mutex);
  return MAX (wait, 0);
}

static void drop_quietest (Lockout *lockout)
{
  GHashTableIter iter;
  gpointer key, value, quietest = NULL;
  gint64 last_us = G_MAXINT64;
  g_hash_table_iter_init (&iter, lockout->records);
  while (g_hash_table_iter_next (&iter, &key, &value))
    if (((Record *) value)->last_us < last_us) {
      last_us = ((Record *) value)->last_us;
      quietest = key;
    }
  if (quietest != NULL)
    g_hash_table_remove (lockout->records, quietest);
}

void lockout_note_failure (Lockout *lockout, const char *key)
{
  gint64 now = clock_monotonic_us (lockout->clock);
  g_mutex_lock (&lockout->mutex);
  Record *record = g_hash_table_lookup (lockout->records, key);
  if (record == NULL) {
    if (g_hash_table_size (lockout->records) >= LOCKOUT_KEYS)
      drop_quietest (lockout);
    record = g_new0 (Record, 1);
    g_hash_table_insert (lockout->records, g_strdup (key), record);
  } else if (now - record->last_us > forgotten_after_us) {
    record->failures = 0;
  }
  record->last_us = now;
  record->failures++;
  if (record->failures > lockout->free_failures) {
    guint doublings = MIN (record->failures - lockout->free_failures - 1, 16);
    record->until_us = now + MIN (first_wait_us << doublings, longest_wait_us);
  }
  g_mutex_unlock (&lockout->mutex);
}

void lockout_note_success (Lockout *lockout, const char *key)
{
  g_mutex_lock (&lockout->mutex);
  g_hash_table_remove (lockout->records, key);
  g_mutex_unlock (&lockout->mutex);
}

void lockout_free (Lockout *lockout)
{
  if (lockout == NULL)
    return;
  g_hash_table_unref (lockout->records);
  g_mutex_clear (&lockout->mutex);
  g_free (lockout);
}
