-- What schema 6 made of it, and what was written then.
CREATE TABLE holds (id TEXT PRIMARY KEY, camera TEXT NOT NULL, from_at INTEGER NOT NULL, to_at INTEGER NOT NULL, until_at INTEGER NOT NULL, reason TEXT NOT NULL, placed_by TEXT NOT NULL, placed_at INTEGER NOT NULL, lifted_at INTEGER NOT NULL, lifted_by TEXT, lift_reason TEXT) WITHOUT ROWID;
CREATE TABLE recording_marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO holds VALUES ('01JT5K0000000000000000HOLD','bridge',1777621000000000,1777622000000000,0,'案件','zhang',1777622000000000,0,NULL,NULL);
INSERT INTO recording_marks VALUES ('deletions', 7);
PRAGMA user_version=6;
