-- Where sessions and authenticators were used, and the clients that are told of their end.
ALTER TABLE sessions ADD COLUMN place TEXT;
ALTER TABLE authenticators ADD COLUMN last_place TEXT;
ALTER TABLE session_clients ADD COLUMN last_used_at BIGINT;

ALTER TABLE clients ADD COLUMN backchannel_logout_uri TEXT;
ALTER TABLE clients ADD COLUMN backchannel_logout_session_required BOOLEAN NOT NULL DEFAULT FALSE;

-- One row for each client of an ended session that wants to be told (OpenID Connect Back-Channel Logout 1.0): a queue
-- until it is told, a record afterwards. Session and user may be gone before that.
CREATE TABLE logout_notices (
  session_id TEXT NOT NULL,
  client_row_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  -- When to try next; while a node is telling it, when another may.
  due_at BIGINT,
  delivered_at BIGINT,
  last_error TEXT,
  PRIMARY KEY (session_id, client_row_id)
);
CREATE INDEX logout_notices_due ON logout_notices (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX logout_notices_by_client ON logout_notices (client_row_id);
CREATE INDEX logout_notices_by_realm ON logout_notices (realm_id);
CREATE INDEX logout_notices_by_creation ON logout_notices (created_at);
