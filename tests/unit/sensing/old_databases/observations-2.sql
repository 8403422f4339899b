-- The same once values could be texts.
CREATE INDEX IF NOT EXISTS rejected_of_source ON rejected (broker, sensor);
INSERT INTO series VALUES (2,'door-1','open',NULL);
INSERT INTO observations VALUES (43,2,1777622070000,0,x'6f70656e',24,NULL);
