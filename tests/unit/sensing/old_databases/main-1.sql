-- gridgate.db, schema 1.
CREATE TABLE sensing (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts_of_messages ( broker TEXT NOT NULL, sensor TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (broker, sensor, outcome, reason)) WITHOUT ROWID;
CREATE TABLE last_payloads (sensor TEXT PRIMARY KEY, hash INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sensors_heard (sensor TEXT PRIMARY KEY, heard INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE rule_states ( rule TEXT NOT NULL, subject TEXT NOT NULL, definition TEXT NOT NULL, phase INTEGER NOT NULL, hold_ends INTEGER NOT NULL, last_at INTEGER NOT NULL, value REAL, unit TEXT, alert TEXT, PRIMARY KEY (rule, subject)) WITHOUT ROWID;
CREATE TABLE alerts ( id TEXT PRIMARY KEY, rule TEXT NOT NULL, sensor TEXT, camera TEXT, grid TEXT NOT NULL, category TEXT NOT NULL, severity INTEGER NOT NULL, opened_at INTEGER NOT NULL, cleared_at INTEGER NOT NULL, value REAL, unit TEXT, incident TEXT, historical INTEGER NOT NULL, note TEXT);
CREATE INDEX alerts_open ON alerts (rule, sensor, camera) WHERE cleared_at = 0;
CREATE INDEX alerts_incident ON alerts (incident);
INSERT INTO sensing VALUES ('applied', 42), ('rule_clock', 3600000000);
INSERT INTO accounts_of_messages VALUES ('village','','received','',12),('village','','stored','',9),('village','','rejected','not_json',2),('village','','dropped','duplicate',1),
 ('village','level-1','received','',12),('village','level-1','stored','',9),('village','level-1','rejected','not_json',2),('village','level-1','dropped','duplicate',1);
INSERT INTO last_payloads VALUES ('level-1', 123456789);
INSERT INTO sensors_heard VALUES ('level-1', 3500000000);
INSERT INTO rule_states VALUES ('flood','sensor:level-1','above 3.2 clear 3',2,0,1777622000000000,3.5,'m','01JT5K0000000000000000OPEN');
INSERT INTO alerts VALUES ('01JT5K0000000000000000OPEN','flood','level-1',NULL,'621101','flood',2,1777622000000000,0,3.5,'m','01JT5K00000000000000MATTER',0,NULL),
 ('01JT5K0000000000000000PAST','flood','level-2',NULL,'621101','flood',2,1777600000000000,1777603600000000,3.9,'m',NULL,1,NULL);
PRAGMA user_version=1;
