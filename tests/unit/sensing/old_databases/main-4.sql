-- What schema 4 made of it, and what was written then.
ALTER TABLE views ADD COLUMN credential TEXT;
UPDATE views SET credential = 'session:session' WHERE to_at IS NULL;
PRAGMA user_version=4;
