#include "gateway/store/schema.h"

#include "gateway/core/error.h"

/* The list: a step is never changed once released; a change is a new step at the end. */
static gboolean add_sensing (Database *database, GError **error);
static gboolean add_incidents (Database *database, GError **error);
static gboolean add_access (Database *database, GError **error);
static gboolean add_view_credentials (Database *database, GError **error);
static gboolean add_rule_language (Database *database, GError **error);
static gboolean add_holds (Database *database, GError **error);
static gboolean add_watched (Database *database, GError **error);
static gboolean add_discovery (Database *database, GError **error);

static gboolean (*const steps[]) (Database *database, GError **error) = {
  add_sensing,   /* 1: rule state, alerts, accounts of what was received */
  add_incidents, /* 2: incidents, history, evidence, outbox, receipts */
  add_access,    /* 3: accounts, sessions, tokens, audit log, viewing register */
  add_view_credentials, /* 4: what each present viewer was admitted by */
  add_rule_language, /* 5: states of steps, windows and counts; severities that change; silences */
  add_holds,     /* 6: legal holds on recordings, and which of their deletions the audit log has */
  add_watched,   /* 7: which recorded time was sent to whom */
  add_discovery, /* 8: sensors that templates have discovered */
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
  /* Times are wall microseconds; 0 stands for "none". The incident's row is derived from its history. */
  return database_script (database,
    "CREATE TABLE incidents ("
    "  id TEXT PRIMARY KEY, gateway TEXT NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL, held_from TEXT,"
    "  title TEXT NOT NULL, category TEXT NOT NULL, severity INTEGER NOT NULL, grid TEXT NOT NULL,"
    "  has_location INTEGER NOT NULL, lon REAL NOT NULL, lat REAL NOT NULL, rule TEXT, reporter TEXT,"
    "  agency TEXT, account TEXT, opened_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, closed_at INTEGER NOT NULL,"
    "  held_at INTEGER NOT NULL, step_at INTEGER NOT NULL, step_due INTEGER NOT NULL, whole_due INTEGER NOT NULL);"
    "CREATE INDEX incidents_open ON incidents (rule, grid) WHERE closed_at = 0;"
    "CREATE INDEX incidents_state ON incidents (state, id);"
    "CREATE TABLE incident_alerts ("
    "  incident TEXT NOT NULL, alert TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (incident, alert));"
    "CREATE TABLE incident_history ("
    "  number INTEGER PRIMARY KEY, incident TEXT NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  actor TEXT NOT NULL, role TEXT NOT NULL, unit TEXT, action TEXT NOT NULL, from_state TEXT NOT NULL,"
    "  to_state TEXT NOT NULL, payload_hash TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE UNIQUE INDEX incident_history_revision ON incident_history (incident, revision);"
    "CREATE TABLE incident_payloads (number INTEGER PRIMARY KEY, payload TEXT NOT NULL);"
    "CREATE TABLE incident_requests ("
    "  actor TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, incident TEXT NOT NULL, at INTEGER NOT NULL,"
    "  PRIMARY KEY (actor, key)) WITHOUT ROWID;"
    "CREATE TABLE evidence ("
    "  id TEXT PRIMARY KEY, incident TEXT NOT NULL, camera TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,"
    "  from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT, reason TEXT);"
    "CREATE INDEX evidence_incident ON evidence (incident);"
    "CREATE INDEX evidence_wanted ON evidence (state) WHERE state = 'wanted';"
    "CREATE TABLE outbox ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, kind TEXT NOT NULL, severity INTEGER NOT NULL,"
    "  event TEXT NOT NULL, subject TEXT NOT NULL, payload TEXT NOT NULL, attempts INTEGER NOT NULL,"
    "  not_before INTEGER NOT NULL, created_at INTEGER NOT NULL, UNIQUE (receiver, event));"
    "CREATE INDEX outbox_order ON outbox (receiver, kind, severity DESC, number);"
    "CREATE TABLE receipts ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, kind TEXT NOT NULL, event TEXT NOT NULL,"
    "  subject TEXT NOT NULL, outcome TEXT NOT NULL, attempts INTEGER NOT NULL, created_at INTEGER NOT NULL,"
    "  at INTEGER NOT NULL, detail TEXT);"
    "CREATE INDEX receipts_at ON receipts (at);"
    "CREATE INDEX receipts_subject ON receipts (subject);"
    "CREATE TABLE center_commands ("
    "  center TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, reply TEXT NOT NULL,"
    "  PRIMARY KEY (center, id)) WITHOUT ROWID;"
    "CREATE TABLE center_states (topic TEXT PRIMARY KEY) WITHOUT ROWID;",
    error);
}

static gboolean add_access (Database *database, GError **error)
{
  return database_script (
    database,
    "CREATE TABLE accounts (name TEXT PRIMARY KEY, role TEXT NOT NULL, agency TEXT, grid TEXT, unit TEXT,"
    "  password_hash TEXT NOT NULL, is_locked INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,"
    "  password_at INTEGER NOT NULL) WITHOUT ROWID;"
    /* what the cookie and the tokens say is kept as a hash only: a copy of this file opens nothing */
    "CREATE TABLE sessions (id_sha256 TEXT PRIMARY KEY, csrf TEXT NOT NULL,"
    "  account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE, created_at INTEGER NOT NULL,"
    "  seen_at INTEGER NOT NULL, address TEXT) WITHOUT ROWID;"
    "CREATE INDEX sessions_by_account ON sessions (account);"
    "CREATE TABLE tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, agency TEXT, grid TEXT,"
    "  secret_sha256 TEXT NOT NULL UNIQUE, ha1_md5 TEXT NOT NULL, ha1_sha256 TEXT NOT NULL,"
    "  created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER) WITHOUT ROWID;"
    "CREATE TABLE play_tokens (token_sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, agency TEXT,"
    "  grid TEXT, unit TEXT, purpose TEXT NOT NULL, cameras TEXT, token_id TEXT, expires_at INTEGER NOT NULL)"
    "  WITHOUT ROWID;"
    "CREATE TABLE audit (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL,"
    "  address TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, outcome TEXT NOT NULL,"
    "  detail TEXT NOT NULL, detail_sha256 TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE TABLE views (id TEXT PRIMARY KEY, actor TEXT NOT NULL, role TEXT NOT NULL, unit TEXT, camera TEXT NOT NULL,"
    "  stream TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT, address TEXT NOT NULL, reason TEXT,"
    "  from_at INTEGER NOT NULL, to_at INTEGER, end_reason TEXT) WITHOUT ROWID;"
    "CREATE INDEX views_open ON views (id) WHERE to_at IS NULL;",
    error);
}

static gboolean add_view_credentials (Database *database, GError **error)
{
  /* "session:HASH", "token:ID" or "account:NAME": the right that is looked at again while the view lasts */
  return database_script (database, "ALTER TABLE views ADD COLUMN credential TEXT;", error);
}

static gboolean add_rule_language (Database *database, GError **error)
{
  /* `data` is the machines' own form (gateway/alert/watch.h); when each sensor was heard is one of the memories now */
  return database_script (
    database,
    "ALTER TABLE rule_states ADD COLUMN data BLOB;"
    "CREATE TABLE rule_memories ("
    "  rule TEXT NOT NULL, sensor TEXT NOT NULL, term INTEGER NOT NULL, definition TEXT NOT NULL, data BLOB NOT NULL,"
    "  PRIMARY KEY (rule, sensor, term)) WITHOUT ROWID;"
    "DROP TABLE sensors_heard;"
    "ALTER TABLE alerts ADD COLUMN silenced INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE alerts ADD COLUMN peak INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE alerts ADD COLUMN is_untold INTEGER NOT NULL DEFAULT 0;"
    "UPDATE alerts SET peak = severity;"
    "CREATE TABLE silences ("
    "  id TEXT PRIMARY KEY, author TEXT NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL,"
    "  from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, matches TEXT NOT NULL, ended_by TEXT) WITHOUT ROWID;"
    "CREATE INDEX silences_to ON silences (to_us);",
    error);
}

static gboolean add_holds (Database *database, GError **error)
{
  return database_script (database,
    "CREATE TABLE holds (id TEXT PRIMARY KEY, camera TEXT NOT NULL, from_at INTEGER NOT NULL, to_at INTEGER NOT NULL,"
    "  until_at INTEGER NOT NULL, reason TEXT NOT NULL, placed_by TEXT NOT NULL, placed_at INTEGER NOT NULL,"
    "  lifted_at INTEGER NOT NULL, lifted_by TEXT, lift_reason TEXT) WITHOUT ROWID;"
    "CREATE TABLE recording_marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;",
    error);
}

static gboolean add_watched (Database *database, GError **error)
{
  return database_script (database, "ALTER TABLE views ADD COLUMN watched TEXT;", error);
}

static gboolean add_discovery (Database *database, GError **error)
{
  return database_script (database,
    "CREATE TABLE discovered_sensors ("
    "  number INTEGER PRIMARY KEY, broker TEXT NOT NULL, topic TEXT NOT NULL, at INTEGER NOT NULL,"
    "  UNIQUE (broker, topic));",
    error);
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
