/* token.c: access for programs: tokens, and the short-lived ones that open a stream. */
#include <string.h>

#include "gateway/access/access_private.h"
#include "gateway/access/digest.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"

gboolean token_add (Database *database, gint64 now_us, const AccountFields *fields, gint64 expires_us, char **id,
                    char **secret, GError **error)
{
  g_autofree char *new_id = ulid_new (now_us);
  g_autofree char *new_secret = random_hex (32);
  g_autofree char *sha256 = TEXT_SHA256 (new_secret);
  g_autofree char *ha1_md5 = digest_ha1 (DIGEST_MD5, new_id, new_secret);
  g_autofree char *ha1_sha256 = digest_ha1 (DIGEST_SHA256, new_id, new_secret);
  if (expires_us != 0 && expires_us <= now_us)
    return error_set (error, ERROR_REFUSE, "the token would have expired already");
  if (!database_run (database, error,
                     "INSERT INTO tokens (id, name, role, agency, grid, secret_sha256, ha1_md5, ha1_sha256, created_at,"
                     " expires_at) VALUES (?,?,?,?,?,?,?,?,?,nullif (?, 0))",
                     "ssssssssii", new_id, fields->name, role_name (fields->role), fields->agency, fields->grid, sha256,
                     ha1_md5, ha1_sha256, now_us, expires_us))
    return FALSE;
  *id = g_steal_pointer (&new_id);
  *secret = g_steal_pointer (&new_secret);
  return TRUE;
}

gboolean token_revoke (Database *database, gint64 now_us, const char *id, GError **error)
{
  if (!database_run (database, error, "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", "is",
                     now_us, id))
    return FALSE;
  if (database_changes (database) == 0)
    return error_set (error, ERROR_REFUSE, "there is no token %s, or it is revoked already", id);
  return database_run (database, error, "DELETE FROM play_tokens WHERE token_id = ?", "s", id);
}

static char *time_or_null (Statement *row, int column)
{
  return statement_is_null (row, column) ? NULL : time_to_rfc3339 (statement_integer (row, column));
}

json_t *token_list (Database *database, GError **error)
{
  g_autoptr (GError) failure = NULL;
  json_t *list = json_array ();
  g_autoptr (Statement) rows = database_query (
    database, &failure,
    "SELECT id, name, role, agency, grid, created_at, expires_at, revoked_at FROM tokens ORDER BY id", "");
  while (statement_step (rows, &failure)) {
    g_autofree char *created = time_or_null (rows, 5), *expires = time_or_null (rows, 6), *revoked = time_or_null (rows, 7);
    json_array_append_new (list, json_pack ("{s:s, s:s, s:s, s:s?, s:s?, s:s, s:s?, s:s?}", "id", statement_text (rows, 0),
                                            "name", statement_text (rows, 1), "role", statement_text (rows, 2), "agency",
                                            statement_text (rows, 3), "grid", statement_text (rows, 4), "created_at",
                                            created, "expires_at", expires, "revoked_at", revoked));
  }
  if (failure == NULL)
    return list;
  g_propagate_error (error, g_steal_pointer (&failure));
  json_decref (list);
  return NULL;
}

gboolean access_caller_of_token (Access *access, const char *secret, Caller *caller)
{
  g_autofree char *sha256 = TEXT_SHA256 (secret);
  Database *reader = store_reader (access->store, NULL);
  g_autoptr (Statement) row = NULL;
  if (reader != NULL)
    row = database_query (reader, NULL,
                          "SELECT name, role, agency, grid, NULL, id, expires_at FROM tokens WHERE secret_sha256 = ?"
                          " AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
                          "si", sha256, access_now_us (access));
  if (!statement_step (row, NULL))
    return FALSE;
  actor_from_row (&caller->actor, row, 0);
  caller->kind = CALLER_TOKEN;
  caller->id = g_strdup (statement_text (row, 5));
  caller->expires_us = statement_integer (row, 6);
  return TRUE;
}

/* A play token dies with the account or token that it was made from. */
gboolean access_caller_of_play_token (Access *access, const char *token, Caller *caller)
{
  g_autofree char *sha256 = TEXT_SHA256 (token);
  Database *reader = store_reader (access->store, NULL);
  g_autoptr (Statement) row = NULL;
  if (reader != NULL)
    row = database_query (
      reader, NULL,
      "SELECT name, role, agency, grid, unit, purpose, cameras, token_id, expires_at FROM play_tokens"
      " WHERE token_sha256 = ? AND expires_at > ?",
      "si", sha256, access_now_us (access));
  if (!statement_step (row, NULL))
    return FALSE;
  actor_from_row (&caller->actor, row, 0);
  caller->kind = CALLER_PLAY;
  caller->purpose = g_strdup (statement_text (row, 5));
  if (!statement_is_null (row, 6))
    caller->cameras = g_strsplit (statement_text (row, 6), " ", -1);
  caller->id = g_strdup (statement_text (row, 7));
  caller->expires_us = statement_integer (row, 8);
  return TRUE;
}

typedef struct {
  Access *access;
  const Caller *caller;
  const char *sha256, *purpose, *cameras;
  gint64 expires_us;
} PlayTokenJob;

static gboolean add_play_token (Database *database, gpointer data, GError **error)
{
  PlayTokenJob *job = data;
  const Actor *actor = &job->caller->actor;
  return database_run (database, error, "DELETE FROM play_tokens WHERE expires_at <= ?", "i", access_now_us (job->access))
         && database_run (database, error, "INSERT INTO play_tokens VALUES (?,?,?,?,?,?,?,?,?,?)", "sssssssssi", job->sha256,
                          actor->name, role_name (actor->role), actor->agency, actor->grid, actor->unit, job->purpose,
                          job->cameras, job->caller->kind == CALLER_TOKEN ? job->caller->id : NULL, job->expires_us);
}

gboolean access_play_token (Access *access, const Caller *caller, const char *const *cameras, const char *purpose,
                            char **token, gint64 *expires_us, GError **error)
{
  g_autofree char *new_token = random_hex (32);
  g_autofree char *sha256 = TEXT_SHA256 (new_token);
  g_autofree char *joined = cameras != NULL ? g_strjoinv (" ", (char **) cameras) : NULL;
  *expires_us = access_now_us (access) + PLAY_TOKEN_S * G_TIME_SPAN_SECOND;
  PlayTokenJob job = { access, caller, sha256, purpose, joined, *expires_us };
  if (!store_run (access->store, add_play_token, &job, error))
    return FALSE;
  *token = g_steal_pointer (&new_token);
  return TRUE;
}
