-- Whether the portal shows an API first.
ALTER TABLE api ADD COLUMN featured BOOLEAN NOT NULL DEFAULT FALSE;
