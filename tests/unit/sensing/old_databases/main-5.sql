-- What schema 5 made of it, and what was written then.
ALTER TABLE rule_states ADD COLUMN data BLOB;
CREATE TABLE rule_memories ( rule TEXT NOT NULL, sensor TEXT NOT NULL, term INTEGER NOT NULL, definition TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (rule, sensor, term)) WITHOUT ROWID;
DROP TABLE sensors_heard;
ALTER TABLE alerts ADD COLUMN silenced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN peak INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN is_untold INTEGER NOT NULL DEFAULT 0;
UPDATE alerts SET peak = severity;
CREATE TABLE silences ( id TEXT PRIMARY KEY, author TEXT NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, matches TEXT NOT NULL, ended_by TEXT) WITHOUT ROWID;
CREATE INDEX silences_to ON silences (to_us);
INSERT INTO silences VALUES ('01JT5K00000000000000SILENT','zhang','检修',1777622000000000,1777622000000000,1777629200000000,'{"rules":["downpour"]}',NULL);
INSERT INTO rule_memories VALUES ('flood','level-1',0,'a definition of then',x'0100');
PRAGMA user_version=5;
