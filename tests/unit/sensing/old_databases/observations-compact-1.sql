-- A day of observations that is over, compact.
CREATE TABLE compacted (first INTEGER, last INTEGER, rows INTEGER NOT NULL);
INSERT INTO "compacted" VALUES(41,43,3);
CREATE TABLE deliveries (broker TEXT PRIMARY KEY, packet_ids BLOB NOT NULL, hashes BLOB NOT NULL, next INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "deliveries" VALUES('village',X'0102',X'0304',1);
CREATE TABLE observations (series INTEGER NOT NULL, at INTEGER NOT NULL, number INTEGER NOT NULL, delay INTEGER NOT NULL, value REAL NOT NULL, flags INTEGER NOT NULL, sequence INTEGER, PRIMARY KEY (series, at, number)) WITHOUT ROWID;
INSERT INTO "observations" VALUES(1,1777622000000,41,15,3.5,0,NULL);
INSERT INTO "observations" VALUES(1,1777622060000,42,15,3.6,0,7);
INSERT INTO "observations" VALUES(2,1777622070000,43,0,X'6F70656E',0,NULL);
CREATE TABLE rejected (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, broker TEXT NOT NULL, topic TEXT NOT NULL, sensor TEXT, reason TEXT NOT NULL, detail TEXT, payload BLOB);
INSERT INTO "rejected" VALUES(1,1777622030000000,'village','village/level-1','level-1','not_json','line 1','{oops');
CREATE TABLE series (id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT, keep_days INTEGER);
INSERT INTO "series" VALUES(1,'level-1','water_level','m',NULL);
INSERT INTO "series" VALUES(2,'door-1','open',NULL,90);
PRAGMA user_version=1;
