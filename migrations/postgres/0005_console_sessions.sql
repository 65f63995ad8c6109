-- Until when a session opens the console: it asks again sooner than the portal.
ALTER TABLE session ADD COLUMN console_until BIGINT NOT NULL DEFAULT 0;
