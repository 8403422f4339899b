-- A day of observations as the first gridgate wrote it.
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT);
CREATE TABLE IF NOT EXISTS observations (number INTEGER PRIMARY KEY, series INTEGER NOT NULL, at INTEGER NOT NULL, delay INTEGER NOT NULL, value REAL NOT NULL, flags INTEGER NOT NULL, sequence INTEGER);
CREATE INDEX IF NOT EXISTS observations_at ON observations (series, at);
CREATE TABLE IF NOT EXISTS rejected (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, broker TEXT NOT NULL, topic TEXT NOT NULL, sensor TEXT, reason TEXT NOT NULL, detail TEXT, payload BLOB);
CREATE TABLE IF NOT EXISTS deliveries (broker TEXT PRIMARY KEY, packet_ids BLOB NOT NULL, hashes BLOB NOT NULL, next INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO series VALUES (1,'level-1','water_level','m');
INSERT INTO observations VALUES (41,1,1777622000000,15,3.5,24,NULL),(42,1,1777622060000,15,3.6,24,7);
INSERT INTO rejected VALUES (1,1777622030000000,'village','village/level-1','level-1','not_json','line 1','{oops');
INSERT INTO deliveries VALUES ('village',x'0102',x'0304',1);
