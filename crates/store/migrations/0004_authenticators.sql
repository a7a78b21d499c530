-- Every kind of authenticator. A row holds what its kind keeps: a password's hash, a passkey, a sealed TOTP secret,
-- the hashes of recovery codes. Codes and links to an address need no row until they were used, locked or switched
-- off; their ids follow from the user's.
ALTER TABLE authenticators ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE authenticators ADD COLUMN credential_id TEXT;
-- The time step of the last TOTP code that was taken, so that none is taken twice.
ALTER TABLE authenticators ADD COLUMN counter BIGINT NOT NULL DEFAULT 0;
ALTER TABLE authenticators ADD COLUMN locked_at BIGINT;
ALTER TABLE authenticators ADD COLUMN deactivated_at BIGINT;
ALTER TABLE authenticators ADD COLUMN deactivated_until BIGINT;
CREATE UNIQUE INDEX authenticators_credential ON authenticators (realm_id, credential_id) WHERE credential_id IS NOT NULL;
CREATE UNIQUE INDEX authenticators_kind ON authenticators (user_id, kind) WHERE kind <> 'passkey' AND kind <> 'totp';

-- Wrong passwords and wrong codes, counted for each user, and for each name that is nobody's, so that the two
-- cannot be told apart.
CREATE TABLE lockouts (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  -- A user's id, or the hash of a name that was typed.
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  failures BIGINT NOT NULL,
  window_started_at BIGINT NOT NULL,
  locked_until BIGINT,
  locks BIGINT NOT NULL,
  -- No lock holds, and the index of users says so.
  is_over BOOLEAN NOT NULL,
  remove_at BIGINT NOT NULL,
  PRIMARY KEY (realm_id, subject, kind)
);
CREATE INDEX lockouts_by_end ON lockouts (locked_until) WHERE NOT is_over;
CREATE INDEX lockouts_by_removal ON lockouts (remove_at);

-- What a user must do before they reach their destination. A new password is a flag of the user's own.
CREATE TABLE required_actions (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  action TEXT NOT NULL,
  requested_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, action)
);
CREATE INDEX required_actions_by_realm ON required_actions (realm_id, user_id);

-- Codes of six digits that were sent. The hash takes in a secret that only the browser holds which asked for it.
CREATE TABLE one_time_codes (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  destination TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX one_time_codes_by_expiry ON one_time_codes (expires_at);
CREATE INDEX one_time_codes_by_user ON one_time_codes (user_id, created_at);
CREATE INDEX one_time_codes_by_realm ON one_time_codes (realm_id);

-- Browsers in which the second factor is not asked for again.
CREATE TABLE remembered_devices (
  secret_hash TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  device TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX remembered_devices_by_expiry ON remembered_devices (expires_at);
CREATE INDEX remembered_devices_by_user ON remembered_devices (user_id);
CREATE INDEX remembered_devices_by_realm ON remembered_devices (realm_id);
