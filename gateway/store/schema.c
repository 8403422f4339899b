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
  /* Times are wall microseconds, holds and silence run on the rule clock (gateway/alert/alert_engine.h). */
  return database_script (database,
    "CREATE TABLE sensing (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE accounts_of_messages ("
    "  broker TEXT NOT NULL, sensor TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,"
    "  PRIMARY KEY (broker, sensor, outcome, reason)) WITHOUT ROWID;"
    "CREATE TABLE last_payloads (sensor TEXT PRIMARY KEY, hash INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE sensors_heard (sensor TEXT PRIMARY KEY, heard INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE rule_states ("
    "  rule TEXT NOT NULL, subject TEXT NOT NULL, definition TEXT NOT NULL, phase INTEGER NOT NULL,"
    "  hold_ends INTEGER NOT NULL, last_at INTEGER NOT NULL, value REAL, unit TEXT, alert TEXT,"
    "  PRIMARY KEY (rule, subject)) WITHOUT ROWID;"
    "CREATE TABLE alerts ("
    "  id TEXT PRIMARY KEY, rule TEXT NOT NULL, sensor TEXT, camera TEXT, grid TEXT NOT NULL, category TEXT NOT NULL,"
    "  severity INTEGER NOT NULL, opened_at INTEGER NOT NULL, cleared_at INTEGER NOT NULL, value REAL, unit TEXT,"
    "  incident TEXT, historical INTEGER NOT NULL, note TEXT);"
    "CREATE INDEX alerts_open ON alerts (rule, sensor, camera) WHERE cleared_at = 0;"
    "CREATE INDEX alerts_incident ON alerts (incident);", error);
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
