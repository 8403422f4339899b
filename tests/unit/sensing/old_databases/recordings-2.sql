-- What schema 2 made of it.
DROP INDEX segments_by_time;
CREATE INDEX segments_by_span ON segments (camera, stream, from_us, to_us, bytes);
PRAGMA user_version = 2;
