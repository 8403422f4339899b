#include "gateway/store/schema.h"

#include "gateway/core/error.h"

/* The list: a step is never changed once released; a change is a new step at the end. */
static gboolean add_sensing (Database *database, GError **error);
static gboolean add_incidents (Database *database, GError **error);
static gboolean add_access (Database *database, GError **error);

static gboolean (*const steps[]) (Database *database, GError **error) = {
  add_sensing,   /* 1: rule state, alerts, accounts of what was received */
  add_incidents, /* 2: incidents, history, evidence, outbox, receipts */
  add_access,    /* 3: accounts, sessions, tokens, audit log, viewing register */
};

static gboolean add_sensing (Database *database, GError **error)
{
  return database_script (database, "", error);
}

static gboolean add_incidents (Database *database, GError **error)
{
  return database_script (database, "", error);
}

static gboolean add_access (Database *database, GError **error)
{
  return database_script (database, "", error);
}

int schema_version (void)
{
  return G_N_ELEMENTS (steps);
}

static gboolean run_step (Database *database, int step, GError **error)
{
  g_autofree char *set_version = g_strdup_printf ("PRAGMA user_version=%d", step + 1);
  if (!database_script (database, "BEGIN IMMEDIATE", error))
    return FALSE;
  if (steps[step] (database, error) && database_script (database, set_version, error)
      && database_script (database, "COMMIT", error))
    return TRUE;
  database_script (database, "ROLLBACK", NULL);
  return FALSE;
}

gboolean schema_migrate (Database *database, GError **error)
{
  int version = (int) database_integer (database, 0, "PRAGMA user_version", "");
  if (version > schema_version ())
    return error_set (error, ERROR_GIVE_UP,
                      "the database has schema %d, this gridgate knows %d: install the version that wrote it", version,
                      schema_version ());
  for (int step = version; step < schema_version (); step++)
    if (!run_step (database, step, error))
      return FALSE;
  return TRUE;
}
