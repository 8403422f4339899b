-- recordings.db, schema 1.
CREATE TABLE segments (id INTEGER PRIMARY KEY, camera TEXT NOT NULL, stream TEXT NOT NULL, file TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, bytes INTEGER NOT NULL, tracks TEXT NOT NULL, is_open INTEGER NOT NULL);
CREATE INDEX segments_by_time ON segments (camera, stream, from_us);
CREATE INDEX segments_by_end ON segments (is_open, to_us);
CREATE TABLE gaps (id INTEGER PRIMARY KEY, camera TEXT NOT NULL, stream TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER, reason TEXT NOT NULL);
CREATE INDEX gaps_by_time ON gaps (camera, stream, from_us);
PRAGMA user_version = 1;
INSERT INTO segments VALUES (7,'bridge','main','recordings/bridge/main/a.mp4',1000000,61000000,5,'h264',0),
 (8,'bridge','main','recordings/bridge/main/b.mp4',61000000,90000000,5,'h264',1);
INSERT INTO gaps VALUES (3,'bridge','main',500000,1000000,'camera_lost');
