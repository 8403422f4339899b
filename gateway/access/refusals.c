/* refusals.c: RTSP clients that were turned away, in the audit log: one entry an address and minute, which says how many
 * came since the one before, so that nobody fills the log by knocking. */
#include "gateway/access/access_private.h"
#include "gateway/core/log.h"

enum { ADDRESSES_MAX = 1024 };
#define ENTRY_EVERY_US G_TIME_SPAN_MINUTE

typedef struct {
  gint64 entered_us; /* monotonic */
  guint since;       /* refusals that have no entry of their own */
} Knocking;

typedef struct {
  gint64 at_us; /* wall */
  Actor actor;
  char *address, *camera, *detail;
} RefusalJob;

static gboolean is_old (gpointer address, gpointer value, gpointer now_us)
{
  (void) address;
  return *(gint64 *) now_us - ((Knocking *) value)->entered_us >= ENTRY_EVERY_US;
}

/* -1: no entry now; else the refusals that it stands for beside this one. */
static int take_turn (Access *access, const char *address)
{
  gint64 now_us = clock_monotonic_us (store_clock (access->store));
  int stands_for = -1;
  g_mutex_lock (&access->mutex);
  Knocking *knocking = g_hash_table_lookup (access->refusals, address);
  if (knocking == NULL) {
    if (g_hash_table_size (access->refusals) >= ADDRESSES_MAX)
      g_hash_table_foreach_remove (access->refusals, is_old, &now_us);
    if (g_hash_table_size (access->refusals) < ADDRESSES_MAX) {
      knocking = g_new0 (Knocking, 1);
      knocking->entered_us = now_us;
      g_hash_table_insert (access->refusals, g_strdup (address), knocking);
      stands_for = 0;
    }
  } else if (now_us - knocking->entered_us >= ENTRY_EVERY_US) {
    stands_for = (int) MIN (knocking->since, (guint) G_MAXINT);
    *knocking = (Knocking){ now_us, 0 };
  } else {
    knocking->since++;
  }
  g_mutex_unlock (&access->mutex);
  return stands_for;
}

static gboolean write_refusal (Database *database, gpointer data, GError **error)
{
  RefusalJob *job = data;
  AuditEntry entry = { job->actor.name != NULL ? &job->actor : NULL, job->address, "rtsp.play", job->camera, "refused",
                       job->detail };
  return audit_append (database, job->at_us, &entry, error);
}

static void refusal_done (gpointer data, const GError *error)
{
  RefusalJob *job = data;
  if (error != NULL)
    log_limited (LOG_LEVEL_ERROR, "audit: a refused RTSP client could not be entered: %s", error->message);
  actor_clear (&job->actor);
  g_free (job->address);
  g_free (job->camera);
  g_free (job->detail);
  g_free (job);
}

void access_note_refusal (Access *access, const Actor *actor, const char *address, const char *camera, const char *why)
{
  int stands_for = take_turn (access, address);
  if (stands_for < 0)
    return;
  RefusalJob *job = g_new0 (RefusalJob, 1);
  job->at_us = access_now_us (access);
  if (actor != NULL) {
    job->actor.name = g_strdup (actor->name);
    job->actor.role = actor->role;
  }
  job->address = g_strdup (address);
  job->camera = g_strdup (camera);
  job->detail = stands_for == 0 ? g_strdup (why) : g_strdup_printf ("%s; %d more from this address since the last entry",
                                                                    why, stands_for);
  if (!store_submit (access->store, write_refusal, refusal_done, job))
    refusal_done (job, NULL); /* closing */
}
