/* control_execute.c: what the commands do, one function each, as jobs on the store with their audit entry. */
#include <string.h>

#include "gateway/access/control.h"
#include "gateway/access/password.h"
#include "gateway/access/view.h"
#include "gateway/core/clock.h"
#include "gateway/core/error.h"

typedef struct {
  Access *access;
  json_t *request;
  Site *site;
  char *password_hash;
  json_t *result; /* what is printed */
  gboolean takes_rights; /* of present viewers, perhaps */
} Work;

static const char *text (const Work *work, const char *field)
{
  return json_string_value (json_object_get (work->request, field));
}

static AccountFields fields_of (const Work *work)
{
  const char *role = text (work, "role");
  return (AccountFields){ text (work, "name"), role_from_name (role != NULL ? role : ""), text (work, "agency"),
                          text (work, "grid"), text (work, "unit") };
}

static gboolean note (Database *database, Work *work, const char *subject, const char *detail, GError **error)
{
  AuditEntry entry = { NULL, "cli", text (work, "command"), subject, NULL, detail };
  return audit_append (database, access_now_us (work->access), &entry, error);
}

static gboolean user_add (Database *database, gpointer data, GError **error)
{
  Work *work = data;
  AccountFields fields = fields_of (work);
  return account_fields_check (work->site, &fields, error)
         && account_add (database, access_now_us (work->access), &fields, work->password_hash, error)
         && note (database, work, fields.name, role_name (fields.role), error);
}

static gboolean user_passwd (Database *database, gpointer data, GError **error)
{
  Work *work = data;
  const char *name = text (work, "name");
  work->takes_rights = TRUE;
  return account_set_password (database, access_now_us (work->access), name, work->password_hash, error)
         && note (database, work, name, NULL, error);
}

static gboolean user_lock (Database *database, gpointer data, GError **error)
{
  Work *work = data;
  const char *name = text (work, "name");
  gboolean is_off = json_is_true (json_object_get (work->request, "off"));
  work->takes_rights = !is_off;
  return account_set_locked (database, name, !is_off, error)
         && note (database, work, name, is_off ? "unlocked" : "locked", error);
}

static gboolean user_remove (Database *database, gpointer data, GError **error)
{
  Work *work = data;
  const char *name = text (work, "name");
  work->takes_rights = TRUE;
  return account_remove (database, name, error) && note (database, work, name, NULL, error);
}

static gboolean user_list (Database *database, gpointer data, GError **error)
{
  Work *work = data;
  work->result = account_list (database, error);
  return work->result != NULL;
}

static gboolean token_add_job (Database *database, gpointer data, GError **error)
{
  Work *work = data;
  AccountFields fields = fields_of (work);
  g_autofree char *id = NULL, *secret = NULL;
  gint64 expires_us = 0;
  const char *expires = text (work, "expires");
  if (expires != NULL && !time_from_rfc3339 (expires, &expires_us))
    return error_set (error, ERROR_REFUSE, "--expires: %s is no time like 2027-12-31T00:00:00Z", expires);
  if (!account_fields_check (work->site, &fields, error)
      || !token_add (database, access_now_us (work->access), &fields, expires_us, &id, &secret, error)
      || !note (database, work, id, fields.name, error))
    return FALSE;
  work->result = json_pack ("{s:s, s:s}", "id", id, "secret", secret);
  return TRUE;
}

static gboolean token_revoke_job (Database *database, gpointer data, GError **error)
{
  Work *work = data;
  const char *id = text (work, "id");
  work->takes_rights = TRUE;
  return token_revoke (database, access_now_us (work->access), id, error) && note (database, work, id, NULL, error);
}

static gboolean token_list_job (Database *database, gpointer data, GError **error)
{
  Work *work = data;
  work->result = token_list (database, error);
  return work->result != NULL;
}

static const struct {
  const char *command;
  StoreJob job;
  const char *needs[3]; /* fields that must be there */
  gboolean has_password;
} commands[] = {
  { "user.add", user_add, { "name", "role" }, TRUE },      { "user.passwd", user_passwd, { "name" }, TRUE },
  { "user.lock", user_lock, { "name" }, FALSE },           { "user.remove", user_remove, { "name" }, FALSE },
  { "user.list", user_list, { NULL }, FALSE },             { "token.add", token_add_job, { "name", "role" }, FALSE },
  { "token.revoke", token_revoke_job, { "id" }, FALSE },   { "token.list", token_list_job, { NULL }, FALSE },
};

static gboolean prepare_password (Work *work, GError **error)
{
  const char *password = text (work, "password");
  if (password == NULL)
    return error_set (error, ERROR_REFUSE, "a password is needed");
  if (!password_is_acceptable (text (work, "name"), password, error))
    return FALSE;
  work->password_hash = password_hash (password, error);
  return work->password_hash != NULL;
}

static gboolean execute (Work *work, GError **error)
{
  const char *command = text (work, "command");
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++) {
    if (g_strcmp0 (command, commands[i].command) != 0)
      continue;
    for (const char *const *need = commands[i].needs; *need != NULL; need++)
      if (text (work, *need) == NULL)
        return error_set (error, ERROR_REFUSE, "%s: %s is missing", command, *need);
    return (!commands[i].has_password || prepare_password (work, error))
           && store_run (access_store (work->access), commands[i].job, work, error);
  }
  return error_set (error, ERROR_REFUSE, "unknown command");
}

json_t *control_execute (Access *access, json_t *request)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Site) site = access_site (access);
  Work work = { .access = access, .request = request, .site = site };
  gboolean is_done = execute (&work, &error);
  if (is_done && work.takes_rights)
    access_views_recheck (access);
  g_free (work.password_hash);
  if (is_done)
    return json_pack ("{s:i, s:o}", "exit", 0, "result", work.result != NULL ? work.result : json_null ());
  json_decref (work.result);
  return json_pack ("{s:i, s:s}", "exit", 1, "error", error->message);
}
