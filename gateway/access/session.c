/* session.c: logging in and out, and the session behind a cookie. */
#include <string.h>

#include "gateway/access/access_private.h"
#include "gateway/access/password.h"
#include "gateway/access/view.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"

static const gint64 idle_us = SESSION_IDLE_S * G_TIME_SPAN_SECOND;
static const gint64 longest_us = SESSION_LONGEST_S * G_TIME_SPAN_SECOND;
static const gint64 note_seen_every_us = 60 * G_TIME_SPAN_SECOND; /* a write per minute and session, not per request */
enum { SESSIONS_OF_ACCOUNT = 16 };

typedef struct {
  Access *access;
  const char *name, *cookie_sha256, *csrf, *address;
  gboolean is_current; /* set by the job: the account still stands as it was checked */
  const char *password_hash;
} LogInJob;

static gboolean is_unchanged (Database *database, LogInJob *job)
{
  return database_integer (database, 0,
                           "SELECT count(*) FROM accounts WHERE name = ? AND password_hash = ? AND is_locked = 0", "ss",
                           job->name, job->password_hash)
         == 1;
}

static gboolean add_session (Database *database, gpointer data, GError **error)
{
  LogInJob *job = data;
  gint64 now = access_now_us (job->access);
  g_autofree char *role = NULL;
  job->is_current = is_unchanged (database, job);
  if (!job->is_current)
    return TRUE;
  {
    g_autoptr (Statement) row = database_query (database, error, "SELECT role FROM accounts WHERE name = ?", "s", job->name);
    if (statement_step (row, error))
      role = g_strdup (statement_text (row, 0));
  }
  Actor actor = { .name = (char *) job->name, .role = role_from_name (role) };
  AuditEntry entry = { &actor, job->address, "login", job->name, NULL, NULL };
  return database_run (database, error, "DELETE FROM sessions WHERE created_at < ? OR seen_at < ?", "ii",
                       now - longest_us, now - idle_us)
         && database_run (database, error,
                          "DELETE FROM sessions WHERE id_sha256 IN (SELECT id_sha256 FROM sessions WHERE account = ?"
                          " ORDER BY seen_at DESC LIMIT -1 OFFSET ?)",
                          "si", job->name, (gint64) SESSIONS_OF_ACCOUNT - 1)
         && database_run (database, error, "INSERT INTO sessions VALUES (?,?,?,?,?,?)", "sssiis", job->cookie_sha256,
                          job->csrf, job->name, now, now, job->address)
         && audit_append (database, now, &entry, error);
}

/* The hash of an account that may log in, else NULL. */
static char *hash_of_account (Access *access, const char *name)
{
  Database *reader = store_reader (access->store, NULL);
  if (reader == NULL)
    return NULL;
  g_autoptr (Statement) row
    = database_query (reader, NULL, "SELECT password_hash FROM accounts WHERE name = ? AND is_locked = 0", "s", name);
  return statement_step (row, NULL) ? g_strdup (statement_text (row, 0)) : NULL;
}

static LoginResult refuse (Access *access, const char *name, const char *address)
{
  AuditEntry entry = { NULL, address, "login", name, "refused", "wrong name or password" };
  lockout_note_failure (access->by_name, name);
  lockout_note_failure (access->by_address, address);
  access_audit (access, &entry);
  return LOGIN_WRONG;
}

LoginResult access_log_in (Access *access, const char *name, const char *password, const char *address, char **cookie,
                           char **csrf, gint64 *wait_us, GError **error)
{
  if (!site_id_is_valid (name)) /* nobody's; kept out of the records, where it would be as long as the body was */
    name = "";
  *wait_us = MAX (lockout_wait_us (access->by_name, name), lockout_wait_us (access->by_address, address));
  if (*wait_us > 0)
    return LOGIN_WAIT;
  g_autofree char *hash = hash_of_account (access, name);
  if (!password_verify (hash, password))
    return refuse (access, name, address);

  g_autofree char *new_cookie = random_hex (32);
  g_autofree char *new_csrf = random_hex (32);
  g_autofree char *cookie_sha256 = TEXT_SHA256 (new_cookie);
  LogInJob job = { access, name, cookie_sha256, new_csrf, address, FALSE, hash };
  if (!store_run (access->store, add_session, &job, error))
    return LOGIN_FAILED;
  if (!job.is_current)
    return refuse (access, name, address);
  lockout_note_success (access->by_name, name);
  lockout_note_success (access->by_address, address);
  *cookie = g_steal_pointer (&new_cookie);
  *csrf = g_steal_pointer (&new_csrf);
  return LOGIN_OK;
}

typedef struct {
  Access *access;
  const Caller *caller;
  const char *address;
} LogOutJob;

static gboolean drop_session (Database *database, gpointer data, GError **error)
{
  LogOutJob *job = data;
  AuditEntry entry = { &job->caller->actor, job->address, "logout", job->caller->actor.name, NULL, NULL };
  return database_run (database, error, "DELETE FROM sessions WHERE id_sha256 = ?", "s", job->caller->id)
         && audit_append (database, access_now_us (job->access), &entry, error);
}

void access_log_out (Access *access, const Caller *caller, const char *address)
{
  g_autoptr (GError) error = NULL;
  LogOutJob job = { access, caller, address };
  if (caller->kind == CALLER_SESSION && !store_run (access->store, drop_session, &job, &error))
    log_error ("account %s: could not be logged out: %s", caller->actor.name, error->message);
  access_views_recheck (access);
}

typedef struct {
  gint64 now_us;
  char *sha256;
} SeenJob;

static gboolean note_seen (Database *database, gpointer data, GError **error)
{
  SeenJob *job = data;
  return database_run (database, error, "UPDATE sessions SET seen_at = ? WHERE id_sha256 = ?", "is", job->now_us,
                       job->sha256);
}

static void seen_job_free (gpointer data, const GError *error)
{
  SeenJob *job = data;
  (void) error; /* the session then ends a minute earlier */
  g_free (job->sha256);
  g_free (job);
}

static void session_seen (Access *access, const char *sha256, gint64 now_us)
{
  SeenJob *job = g_new0 (SeenJob, 1);
  job->now_us = now_us;
  job->sha256 = g_strdup (sha256);
  if (!store_submit (access->store, note_seen, seen_job_free, job))
    seen_job_free (job, NULL);
}

/* The session with this hash, as a caller; `*seen_us` is when it was last noted. */
static gboolean load_session (Access *access, const char *sha256, Caller *caller, gint64 *seen_us)
{
  gint64 now = access_now_us (access);
  Database *reader = store_reader (access->store, NULL);
  g_autoptr (Statement) row = NULL;
  if (reader != NULL)
    row = database_query (reader, NULL,
                          "SELECT a.name, a.role, a.agency, a.grid, a.unit, s.csrf, s.seen_at, s.created_at FROM sessions s"
                          " JOIN accounts a ON a.name = s.account WHERE s.id_sha256 = ? AND a.is_locked = 0",
                          "s", sha256);
  if (!statement_step (row, NULL))
    return FALSE;
  *seen_us = statement_integer (row, 6);
  if (now - *seen_us > idle_us || now - statement_integer (row, 7) > longest_us)
    return FALSE;
  actor_from_row (&caller->actor, row, 0);
  caller->kind = CALLER_SESSION;
  caller->csrf = g_strdup (statement_text (row, 5));
  caller->id = g_strdup (sha256);
  return TRUE;
}

gboolean session_load_in_use (Access *access, const char *sha256, Caller *caller)
{
  gint64 seen_us;
  if (!load_session (access, sha256, caller, &seen_us))
    return FALSE;
  gint64 now = access_now_us (access);
  if (now - seen_us > note_seen_every_us || now < seen_us)
    session_seen (access, sha256, now);
  return TRUE;
}

gboolean access_caller_of_session (Access *access, const char *cookie, Caller *caller)
{
  g_autofree char *sha256 = TEXT_SHA256 (cookie);
  return session_load_in_use (access, sha256, caller);
}

static gboolean token_still_holds (Access *access, const char *id)
{
  Database *reader = store_reader (access->store, NULL);
  return reader != NULL
         && database_integer (reader, 0,
                              "SELECT count(*) FROM tokens WHERE id = ? AND revoked_at IS NULL"
                              " AND (expires_at IS NULL OR expires_at > ?)",
                              "si", id, access_now_us (access))
              == 1;
}

gboolean access_caller_is_valid (Access *access, const Caller *caller)
{
  if (caller->kind == CALLER_TOKEN)
    return token_still_holds (access, caller->id);
  if (caller->kind != CALLER_SESSION)
    return FALSE;
  Caller again = { 0 };
  gint64 seen_us;
  gboolean is_valid = load_session (access, caller->id, &again, &seen_us);
  caller_clear (&again);
  return is_valid;
}
