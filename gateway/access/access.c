#include <string.h>

#include "gateway/access/access_private.h"
#include "gateway/access/password.h"
#include "gateway/access/view_expected.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"

enum { FREE_FAILURES_OF_NAME = 5, FREE_FAILURES_OF_ADDRESS = 20 };

Access *access_new (Store *store, SiteGetter site, gpointer data)
{
  Access *access = g_new0 (Access, 1);
  access->store = store;
  access->site = site;
  access->site_data = data;
  access->by_name = lockout_new (store_clock (store), FREE_FAILURES_OF_NAME);
  access->by_address = lockout_new (store_clock (store), FREE_FAILURES_OF_ADDRESS);
  g_mutex_init (&access->mutex);
  access->refusals = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  access->expected_views = g_hash_table_new (g_str_hash, g_str_equal); /* view.c frees what is inside */
  return access;
}

Site *access_site (Access *access)
{
  return access->site (access->site_data);
}

Store *access_store (Access *access)
{
  return access->store;
}

gint64 access_now_us (Access *access)
{
  return clock_wall_us (store_clock (access->store));
}

void access_set_viewer_end (Access *access, ViewerEnd end, gpointer data)
{
  access->viewer_end = end;
  access->viewer_end_data = data;
}

typedef struct {
  Access *access;
  const AuditEntry *entry;
} AuditJob;

static gboolean write_audit (Database *database, gpointer data, GError **error)
{
  AuditJob *job = data;
  return audit_append (database, access_now_us (job->access), job->entry, error);
}

void access_audit (Access *access, const AuditEntry *entry)
{
  g_autoptr (GError) error = NULL;
  AuditJob job = { access, entry };
  if (!store_run (access->store, write_audit, &job, &error))
    log_error ("audit: %s of %s could not be written: %s", entry->action, entry->subject != NULL ? entry->subject : "",
               error->message);
}

void actor_from_row (Actor *actor, Statement *row, int column)
{
  actor->name = g_strdup (statement_text (row, column));
  actor->role = role_from_name (statement_text (row, column + 1));
  actor->agency = g_strdup (statement_text (row, column + 2));
  actor->grid = g_strdup (statement_text (row, column + 3));
  actor->unit = g_strdup (statement_text (row, column + 4));
}

void caller_clear (Caller *caller)
{
  actor_clear (&caller->actor);
  g_free (caller->csrf);
  g_free (caller->id);
  g_free (caller->purpose);
  g_strfreev (caller->cameras);
  *caller = (Caller){ 0 };
}

static gboolean has_accounts (Database *database)
{
  return database_integer (database, 1, "SELECT EXISTS (SELECT 1 FROM accounts)", "") != 0;
}

char *access_setup_link (Access *access, const char *base_url)
{
  Database *reader = store_reader (access->store, NULL);
  if (reader == NULL || has_accounts (reader))
    return NULL;
  g_autofree char *token = random_hex (32);
  g_mutex_lock (&access->mutex);
  g_free (access->setup_sha256);
  access->setup_sha256 = TEXT_SHA256 (token);
  g_mutex_unlock (&access->mutex);
  return g_strdup_printf ("%s/setup?token=%s", base_url, token);
}

static gboolean is_setup_token (Access *access, const char *token)
{
  g_autofree char *sha256 = TEXT_SHA256 (token);
  g_mutex_lock (&access->mutex);
  gboolean is = access->setup_sha256 != NULL && g_str_equal (access->setup_sha256, sha256);
  g_mutex_unlock (&access->mutex);
  return is;
}

typedef struct {
  Access *access;
  const AccountFields *fields;
  const char *hash, *address;
} SetUpJob;

static gboolean add_first (Database *database, gpointer data, GError **error)
{
  SetUpJob *job = data;
  gint64 now = access_now_us (job->access);
  Actor actor = { .name = (char *) job->fields->name, .role = job->fields->role };
  AuditEntry entry = { &actor, job->address, "account.add", job->fields->name, NULL, "by the set-up link" };
  if (has_accounts (database))
    return error_set (error, ERROR_REFUSE, "there is an account already: the set-up link is used up");
  return account_add (database, now, job->fields, job->hash, error) && audit_append (database, now, &entry, error);
}

gboolean access_set_up (Access *access, const char *token, const char *name, const char *password, const char *address,
                        GError **error)
{
  g_autoptr (Site) site = access_site (access);
  AccountFields fields = { .name = name, .role = ROLE_ADMIN };
  if (lockout_wait_us (access->by_address, address) > 0)
    return error_set (error, ERROR_RETRY, "too many failed attempts from this address: wait before trying again");
  if (!is_setup_token (access, token)) {
    lockout_note_failure (access->by_address, address);
    return error_set (error, ERROR_REFUSE, "this set-up link is not valid: the newest one stands in the gateway's log");
  }
  if (!account_fields_check (site, &fields, error) || !password_is_acceptable (name, password, error))
    return FALSE;
  g_autofree char *hash = password_hash (password, error);
  SetUpJob job = { access, &fields, hash, address };
  if (hash == NULL || !store_run (access->store, add_first, &job, error))
    return FALSE;
  g_mutex_lock (&access->mutex);
  g_clear_pointer (&access->setup_sha256, g_free);
  g_mutex_unlock (&access->mutex);
  return TRUE;
}

void access_free (Access *access)
{
  if (access == NULL)
    return;
  expected_views_free (access);
  g_hash_table_unref (access->refusals);
  lockout_free (access->by_address);
  lockout_free (access->by_name);
  g_mutex_clear (&access->mutex);
  g_free (access->setup_sha256);
  g_free (access);
}
