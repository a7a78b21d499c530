-- Ids are UUIDv7 texts; times are microseconds since the epoch, UTC; JSON is text that is never queried.
-- Whatever is searched or sorted by has a column of its own, folded by Denizen. Unique indexes are named
-- <table>_<last column>.

CREATE TABLE secrets (
  name TEXT PRIMARY KEY,
  sealed TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE realms (
  id TEXT PRIMARY KEY,
  slug TEXT NOT NULL,
  display_name TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  settings TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX realms_slug ON realms (slug);
-- One row in each realm that a transaction changes to make others wait, where a rule spans rows.
CREATE TABLE realm_locks (
  realm_id TEXT PRIMARY KEY REFERENCES realms (id) ON DELETE CASCADE,
  turn BIGINT NOT NULL
);

CREATE TABLE signing_keys (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  algorithm TEXT NOT NULL,
  generation BIGINT NOT NULL,
  private_sealed TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  active_at BIGINT NOT NULL,
  retired_at BIGINT
);
CREATE UNIQUE INDEX signing_keys_generation ON signing_keys (realm_id, algorithm, generation);

CREATE TABLE users (
--sqlite:  num INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  username TEXT NOT NULL,
  username_key TEXT NOT NULL,
  email TEXT,
  email_key TEXT NOT NULL,
  email_state TEXT NOT NULL,
  phone TEXT,
  phone_state TEXT NOT NULL,
  given_name TEXT,
  family_name TEXT,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  locale TEXT,
  zoneinfo TEXT,
  reference TEXT,
  attributes TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  disabled_at BIGINT,
  disabled_reason TEXT,
  requires_password_reset BOOLEAN NOT NULL,
  admin_rank BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_sign_in_at BIGINT NOT NULL,
  failed_password_attempts BIGINT NOT NULL,
  failed_otp_attempts BIGINT NOT NULL,
  search_text TEXT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_id ON users (id);
CREATE UNIQUE INDEX users_username_key ON users (realm_id, username_key);
CREATE INDEX users_by_email ON users (realm_id, email_key, id);
CREATE INDEX users_by_name ON users (realm_id, name_key, id);
CREATE INDEX users_by_creation ON users (realm_id, created_at, id);
CREATE INDEX users_by_sign_in ON users (realm_id, last_sign_in_at, id);
CREATE INDEX users_by_admin ON users (realm_id, admin_rank, id);
CREATE INDEX users_disabled ON users (realm_id, created_at, id) WHERE NOT enabled;
CREATE INDEX users_machines ON users (realm_id, created_at, id) WHERE kind = 'machine';
--sqlite:CREATE VIRTUAL TABLE user_search USING fts5 (search_text, content='users', content_rowid='num', tokenize='trigram case_sensitive 1', detail='full');
--sqlite:CREATE TRIGGER user_search_insert AFTER INSERT ON users BEGIN INSERT INTO user_search (rowid, search_text) VALUES (new.num, new.search_text); END;
--sqlite:CREATE TRIGGER user_search_delete AFTER DELETE ON users BEGIN INSERT INTO user_search (user_search, rowid, search_text) VALUES ('delete', old.num, old.search_text); END;
--sqlite:CREATE TRIGGER user_search_update AFTER UPDATE OF search_text ON users WHEN old.search_text <> new.search_text BEGIN INSERT INTO user_search (user_search, rowid, search_text) VALUES ('delete', old.num, old.search_text); INSERT INTO user_search (rowid, search_text) VALUES (new.num, new.search_text); END;
--postgres:CREATE EXTENSION IF NOT EXISTS pg_trgm;
--postgres:CREATE INDEX users_search ON users USING gin (search_text gin_trgm_ops);

-- How many users there are, so that no list has to count them. Sixteen rows for each kind and state, by the
-- last digit of the user's id, so that two users are rarely counted in the same row.
CREATE TABLE user_counts (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  shard BIGINT NOT NULL,
  kind TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  total BIGINT NOT NULL,
  PRIMARY KEY (realm_id, shard, kind, enabled)
);

CREATE TABLE authenticators (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  secret TEXT NOT NULL,
  temporary BOOLEAN NOT NULL,
  registered_at BIGINT NOT NULL,
  last_used_at BIGINT,
  last_client_id TEXT,
  last_device TEXT,
  last_ip TEXT
);
CREATE UNIQUE INDEX authenticators_password ON authenticators (user_id) WHERE kind = 'password';
CREATE INDEX authenticators_by_user ON authenticators (user_id, id);
CREATE INDEX authenticators_by_realm ON authenticators (realm_id, user_id);

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  hint TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT,
  expires_at BIGINT
);
CREATE UNIQUE INDEX api_keys_secret_hash ON api_keys (secret_hash);
CREATE INDEX api_keys_by_user ON api_keys (user_id, id);
CREATE INDEX api_keys_by_realm ON api_keys (realm_id, id);

CREATE TABLE admin_grants (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  -- Where it holds; empty is every realm.
  scope TEXT NOT NULL,
  granted_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, scope)
);
CREATE INDEX admin_grants_by_role ON admin_grants (realm_id, role);

CREATE TABLE roles (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  description TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX roles_name_key ON roles (realm_id, name_key);

CREATE TABLE user_roles (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
  assigned_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_by_role ON user_roles (role_id, user_id);
CREATE INDEX user_roles_by_realm ON user_roles (realm_id, user_id);

CREATE TABLE clients (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  secret_hash TEXT,
  redirect_uris TEXT NOT NULL,
  post_logout_redirect_uris TEXT NOT NULL,
  grant_types TEXT NOT NULL,
  scopes TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX clients_client_id ON clients (realm_id, client_id);
CREATE INDEX clients_by_name ON clients (realm_id, name_key, id);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  secret_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  authenticated_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  idle_expires_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  -- When the row may go: its end, or its revocation and a while for agents to see it.
  remove_at BIGINT NOT NULL,
  revoked_at BIGINT,
  ip TEXT,
  device TEXT NOT NULL,
  amr TEXT NOT NULL
);
CREATE UNIQUE INDEX sessions_secret_hash ON sessions (secret_hash);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_realm ON sessions (realm_id, id);
CREATE INDEX sessions_by_removal ON sessions (remove_at);

CREATE TABLE session_clients (
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  first_used_at BIGINT NOT NULL,
  PRIMARY KEY (session_id, client_id)
);

-- A browser in the console: a session of the realm the administrator signed in to.
CREATE TABLE console_sessions (
  secret_hash TEXT PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL
);
CREATE INDEX console_sessions_by_session ON console_sessions (session_id);

-- Authorization codes (RFC 6749, section 4.1.2). A used one stays until it expires, so that a second use is seen.
CREATE TABLE codes (
  secret_hash TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  grant_id TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  scope TEXT NOT NULL,
  nonce TEXT,
  code_challenge TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX codes_by_expiry ON codes (expires_at);
CREATE INDEX codes_by_session ON codes (session_id);
CREATE INDEX codes_by_realm ON codes (realm_id);

-- What a user granted a client in a session: one row for a whole family of refresh tokens. The token carries
-- the generation; only the latest is good.
CREATE TABLE grants (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  scope TEXT NOT NULL,
  nonce TEXT,
  generation BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT
);
CREATE INDEX grants_by_session ON grants (session_id);
CREATE INDEX grants_by_realm ON grants (realm_id);
CREATE INDEX grants_by_expiry ON grants (expires_at);

-- Access tokens revoked before their time, until they would have expired.
CREATE TABLE revoked_tokens (
  jti TEXT PRIMARY KEY,
  expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- Single-use secrets that travel in links: the set-up link today.
CREATE TABLE one_time_tokens (
  secret_hash TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX one_time_tokens_by_realm ON one_time_tokens (realm_id, purpose);

-- Answers to POST requests with an Idempotency-Key.
CREATE TABLE idempotency_keys (
  actor TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  response_sealed TEXT,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (actor, idempotency_key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TABLE event_chains (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  chain BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  hash TEXT NOT NULL,
  -- Where the chain begins now that older events have been removed by retention.
  first_sequence BIGINT NOT NULL,
  first_hash TEXT NOT NULL,
  PRIMARY KEY (realm_id, chain)
);

CREATE TABLE events (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  chain BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  client_id TEXT,
  session_id TEXT,
  ip TEXT,
  -- Personal data; the chain holds only its digest.
  data TEXT NOT NULL,
  salt TEXT NOT NULL,
  digest TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE UNIQUE INDEX events_sequence ON events (realm_id, chain, sequence);
CREATE INDEX events_by_realm ON events (realm_id, id);
CREATE INDEX events_by_subject ON events (realm_id, subject_id, id);
CREATE INDEX events_by_actor ON events (realm_id, actor_id, id);
CREATE INDEX events_by_kind ON events (realm_id, kind, id);
CREATE INDEX events_failures ON events (realm_id, id) WHERE outcome = 'failure';
