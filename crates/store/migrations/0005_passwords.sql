-- The hashes of passwords that users had before: a new one may not be among a realm's last few.
CREATE TABLE password_history (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- Grows with each password of the user.
  position BIGINT NOT NULL,
  secret TEXT NOT NULL,
  replaced_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, position)
--sqlite:) WITHOUT ROWID;
--postgres:);
CREATE INDEX password_history_by_realm ON password_history (realm_id, user_id);
