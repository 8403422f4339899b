-- A day of observations as gridgate with texts wrote it.
CREATE TABLE deliveries (broker TEXT PRIMARY KEY, packet_ids BLOB NOT NULL, hashes BLOB NOT NULL, next INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "deliveries" VALUES('village',X'0102',X'0304',1);
CREATE TABLE observations (number INTEGER PRIMARY KEY, series INTEGER NOT NULL, at INTEGER NOT NULL, delay INTEGER NOT NULL, value REAL NOT NULL, flags INTEGER NOT NULL, sequence INTEGER);
INSERT INTO "observations" VALUES(41,1,1777622000000,15,3.5,24,NULL);
INSERT INTO "observations" VALUES(42,1,1777622060000,15,3.6,24,7);
INSERT INTO "observations" VALUES(43,2,1777622070000,0,X'6F70656E',24,NULL);
CREATE TABLE rejected (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, broker TEXT NOT NULL, topic TEXT NOT NULL, sensor TEXT, reason TEXT NOT NULL, detail TEXT, payload BLOB);
INSERT INTO "rejected" VALUES(1,1777622030000000,'village','village/level-1','level-1','not_json','line 1','{oops');
CREATE TABLE series (id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT);
INSERT INTO "series" VALUES(1,'level-1','water_level','m');
INSERT INTO "series" VALUES(2,'door-1','open',NULL);
CREATE INDEX observations_at ON observations (series, at);
CREATE INDEX rejected_of_source ON rejected (broker, sensor);
PRAGMA user_version=0;
