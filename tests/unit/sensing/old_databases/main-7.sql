-- What schema 7 made of it, and what was written then.
ALTER TABLE views ADD COLUMN watched TEXT;
UPDATE views SET watched = '[{"from":1777610000000000,"to":1777610060000000}]' WHERE to_at IS NOT NULL;
PRAGMA user_version=7;
