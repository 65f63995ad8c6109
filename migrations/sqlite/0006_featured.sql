-- Whether the portal shows an API first.
ALTER TABLE api ADD COLUMN featured INTEGER NOT NULL DEFAULT 0;
