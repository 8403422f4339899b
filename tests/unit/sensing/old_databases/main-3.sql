-- What schema 3 made of it, and what was written then.
CREATE TABLE accounts (name TEXT PRIMARY KEY, role TEXT NOT NULL, agency TEXT, grid TEXT, unit TEXT, password_hash TEXT NOT NULL, is_locked INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, password_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (id_sha256 TEXT PRIMARY KEY, csrf TEXT NOT NULL, account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE, created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, address TEXT) WITHOUT ROWID;
CREATE INDEX sessions_by_account ON sessions (account);
CREATE TABLE tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, agency TEXT, grid TEXT, secret_sha256 TEXT NOT NULL UNIQUE, ha1_md5 TEXT NOT NULL, ha1_sha256 TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER) WITHOUT ROWID;
CREATE TABLE play_tokens (token_sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, agency TEXT, grid TEXT, unit TEXT, purpose TEXT NOT NULL, cameras TEXT, token_id TEXT, expires_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE audit (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, detail_sha256 TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE views (id TEXT PRIMARY KEY, actor TEXT NOT NULL, role TEXT NOT NULL, unit TEXT, camera TEXT NOT NULL, stream TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT, address TEXT NOT NULL, reason TEXT, from_at INTEGER NOT NULL, to_at INTEGER, end_reason TEXT) WITHOUT ROWID;
CREATE INDEX views_open ON views (id) WHERE to_at IS NULL;
INSERT INTO accounts VALUES ('zhang','operator',NULL,'621101',NULL,'hash',0,1777000000000000,1777000000000000);
INSERT INTO sessions VALUES ('session','csrf','zhang',1777620000000000,1777622000000000,'127.0.0.1');
INSERT INTO tokens VALUES ('01JT5K000000000000000TOKEN','player','viewer',NULL,NULL,'secret','md5','sha256',1777000000000000,NULL,NULL);
INSERT INTO play_tokens VALUES ('play','zhang','operator',NULL,NULL,NULL,'live',NULL,NULL,1777623000000000);
INSERT INTO audit VALUES (1,1777620000000000,'zhang','operator','127.0.0.1','session.open','zhang','ok','{}','ff','gg');
INSERT INTO views VALUES ('01JT5K00000000000000000OLD','zhang','operator',NULL,'bridge','main','live',NULL,'127.0.0.1',NULL,1777620000000000,1777620060000000,'closed'),
 ('01JT5K00000000000000000NOW','zhang','operator',NULL,'bridge','main','live',NULL,'127.0.0.1',NULL,1777622000000000,NULL,NULL);
PRAGMA user_version=3;
