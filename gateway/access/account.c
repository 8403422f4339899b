#include "gateway/access/access.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"

gboolean account_fields_check (const Site *site, const AccountFields *fields, GError **error)
{
  if (!site_id_is_valid (fields->name))
    return error_set (error, ERROR_REFUSE, "a name is up to 64 letters, digits, dots, dashes and underscores");
  if (fields->role == ROLE_NONE)
    return error_set (error, ERROR_REFUSE, "the role must be one of admin, auditor, operator, worker, viewer, agency");
  if (fields->role == ROLE_AGENCY && fields->agency == NULL)
    return error_set (error, ERROR_REFUSE, "an account with the role agency needs the agency that it acts for");
  if (fields->agency != NULL && site_agency (site, fields->agency) == NULL)
    return error_set (error, ERROR_REFUSE, "there is no agency %s in the configuration", fields->agency);
  if (fields->grid != NULL && site_grid (site, fields->grid) == NULL
      && g_strcmp0 (fields->grid, site->gateway.division) != 0)
    return error_set (error, ERROR_REFUSE, "there is no grid %s in the configuration", fields->grid);
  return TRUE;
}

gboolean account_add (Database *database, gint64 now_us, const AccountFields *fields, const char *password_hash,
                      GError **error)
{
  if (database_integer (database, 0, "SELECT count(*) FROM accounts WHERE name = ?", "s", fields->name) > 0)
    return error_set (error, ERROR_REFUSE, "there is an account %s already", fields->name);
  return database_run (database, error,
                       "INSERT INTO accounts (name, role, agency, grid, unit, password_hash, created_at, password_at)"
                       " VALUES (?,?,?,?,?,?,?,?)",
                       "ssssssii", fields->name, role_name (fields->role), fields->agency, fields->grid, fields->unit,
                       password_hash, now_us, now_us);
}

static gboolean changed_one (Database *database, const char *name, GError **error)
{
  return database_changes (database) > 0 || error_set (error, ERROR_REFUSE, "there is no account %s", name);
}

static gboolean end_sessions (Database *database, const char *name, GError **error)
{
  return database_run (database, error, "DELETE FROM sessions WHERE account = ?", "s", name)
         && database_run (database, error, "DELETE FROM play_tokens WHERE name = ? AND token_id IS NULL", "s", name);
}

gboolean account_set_password (Database *database, gint64 now_us, const char *name, const char *password_hash,
                               GError **error)
{
  return database_run (database, error, "UPDATE accounts SET password_hash = ?, password_at = ? WHERE name = ?", "sis",
                       password_hash, now_us, name)
         && changed_one (database, name, error) && end_sessions (database, name, error);
}

gboolean account_set_locked (Database *database, const char *name, gboolean is_locked, GError **error)
{
  return database_run (database, error, "UPDATE accounts SET is_locked = ? WHERE name = ?", "is", (gint64) is_locked,
                       name)
         && changed_one (database, name, error) && end_sessions (database, name, error);
}

gboolean account_remove (Database *database, const char *name, GError **error)
{
  return end_sessions (database, name, error)
         && database_run (database, error, "DELETE FROM accounts WHERE name = ?", "s", name)
         && changed_one (database, name, error);
}

json_t *account_list (Database *database, GError **error)
{
  g_autoptr (GError) failure = NULL;
  json_t *list = json_array ();
  g_autoptr (Statement) rows = database_query (
    database, &failure, "SELECT name, role, agency, grid, unit, is_locked, created_at FROM accounts ORDER BY name", "");
  while (statement_step (rows, &failure)) {
    g_autofree char *created = time_to_rfc3339 (statement_integer (rows, 6));
    json_array_append_new (list, json_pack ("{s:s, s:s, s:s?, s:s?, s:s?, s:b, s:s}", "name", statement_text (rows, 0),
                                            "role", statement_text (rows, 1), "agency", statement_text (rows, 2), "grid",
                                            statement_text (rows, 3), "unit", statement_text (rows, 4), "locked",
                                            (int) statement_integer (rows, 5), "created_at", created));
  }
  if (failure == NULL)
    return list;
  g_propagate_error (error, g_steal_pointer (&failure));
  json_decref (list);
  return NULL;
}
