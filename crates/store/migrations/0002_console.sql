-- Groups, organizations, messages, invitations, jobs: what the console of users needs beside the foundation.
CREATE TABLE groups (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  description TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX groups_name_key ON groups (realm_id, name_key);
CREATE TABLE user_groups (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  added_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, group_id)
);
CREATE INDEX user_groups_by_group ON user_groups (group_id, user_id);
CREATE INDEX user_groups_by_realm ON user_groups (realm_id, user_id);
-- How many members there are, in shards by the last digit of the user's id, so that no list counts and people who
-- join the same group at the same time seldom wait for each other.
CREATE TABLE group_counts (
  group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  shard BIGINT NOT NULL,
  total BIGINT NOT NULL,
  PRIMARY KEY (group_id, shard)
);

CREATE TABLE organizations (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  description TEXT NOT NULL,
  -- A JSON list of domain names.
  domains TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX organizations_name_key ON organizations (realm_id, name_key);
CREATE TABLE memberships (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  joined_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, organization_id)
);
CREATE INDEX memberships_by_organization ON memberships (organization_id, user_id);
CREATE INDEX memberships_by_realm ON memberships (realm_id, user_id);
CREATE TABLE organization_counts (
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  shard BIGINT NOT NULL,
  total BIGINT NOT NULL,
  PRIMARY KEY (organization_id, shard)
);

CREATE TABLE attribute_definitions (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  attribute_key TEXT NOT NULL,
  -- The rest of the definition as JSON.
  definition TEXT NOT NULL,
  position BIGINT NOT NULL,
  searchable BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX attribute_definitions_attribute_key ON attribute_definitions (realm_id, attribute_key);

-- Messages to users: a queue until they are sent, a record afterwards.
CREATE TABLE messages (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
  -- The invitation it carries, if it carries one.
  invitation_id TEXT,
  channel TEXT NOT NULL,
  template TEXT NOT NULL,
  recipient TEXT NOT NULL,
  -- The recipient, folded.
  recipient_key TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- The text with codes and links blanked out.
  content TEXT NOT NULL,
  -- The whole message, sealed; gone once it is sent or given up.
  sealed TEXT,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  -- When to try next; while a node is sending, when another may.
  due_at BIGINT,
  last_error TEXT,
  created_at BIGINT NOT NULL,
  sent_at BIGINT,
  expires_at BIGINT
);
CREATE INDEX messages_due ON messages (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX messages_by_user ON messages (user_id, id);
CREATE INDEX messages_by_realm ON messages (realm_id, id);
CREATE INDEX messages_by_recipient ON messages (realm_id, recipient_key, created_at);
CREATE INDEX messages_by_invitation ON messages (invitation_id) WHERE invitation_id IS NOT NULL;

-- Single-use secrets in links that were mailed.
CREATE TABLE action_tokens (
  secret_hash TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL,
  -- What it is for besides, as JSON: the address that is verified.
  data TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX action_tokens_by_user ON action_tokens (user_id, purpose);
CREATE INDEX action_tokens_by_realm ON action_tokens (realm_id, purpose);
CREATE INDEX action_tokens_by_expiry ON action_tokens (expires_at);

CREATE TABLE invitations (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL,
  given_name TEXT,
  family_name TEXT,
  locale TEXT,
  -- JSON lists of ids.
  role_ids TEXT NOT NULL,
  group_ids TEXT NOT NULL,
  organization_ids TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  invited_by TEXT,
  created_at BIGINT NOT NULL,
  sent_at BIGINT NOT NULL,
  sent_count BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  accepted_at BIGINT,
  accepted_user_id TEXT REFERENCES users (id) ON DELETE SET NULL,
  revoked_at BIGINT,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitations_secret_hash ON invitations (secret_hash);
CREATE INDEX invitations_by_realm ON invitations (realm_id, id);
CREATE INDEX invitations_open ON invitations (realm_id, id) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_accepted ON invitations (realm_id, id) WHERE accepted_at IS NOT NULL;
CREATE INDEX invitations_revoked ON invitations (realm_id, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX invitations_by_email ON invitations (realm_id, email_key);
CREATE INDEX invitations_by_user ON invitations (accepted_user_id);

-- API keys: the key itself, sealed, where the realm keeps keys so that they can be shown again.
ALTER TABLE api_keys ADD COLUMN sealed TEXT;
ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT '[]';

-- Long work.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  payload TEXT NOT NULL,
  -- How far it has come, in the job's own words, and after how many steps.
  progress TEXT NOT NULL,
  step BIGINT NOT NULL,
  total BIGINT,
  done BIGINT NOT NULL,
  skipped BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  error TEXT,
  created_by TEXT,
  created_by_name TEXT NOT NULL,
  cancel_requested BOOLEAN NOT NULL,
  -- Which node works on it, and until when it has it to itself.
  lease TEXT NOT NULL,
  leased_until BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT
);
CREATE INDEX jobs_by_realm ON jobs (realm_id, id);
CREATE INDEX jobs_open ON jobs (leased_until, id) WHERE finished_at IS NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
-- One row for each user or line that has an outcome worth telling.
CREATE TABLE job_items (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  position BIGINT NOT NULL,
  subject TEXT NOT NULL,
  name TEXT NOT NULL,
  outcome TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (job_id, position)
);
CREATE INDEX job_items_by_outcome ON job_items (job_id, outcome, position);
-- What was uploaded for a job, in pieces that end at line ends.
CREATE TABLE job_inputs (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  part BIGINT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (job_id, part)
);

-- Named views of the list of users.
CREATE TABLE saved_views (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  owner_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  -- The list's query string.
  query TEXT NOT NULL,
  shared BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX saved_views_name_key ON saved_views (realm_id, owner_id, name_key);
CREATE INDEX saved_views_by_owner ON saved_views (owner_id);
CREATE INDEX saved_views_shared ON saved_views (realm_id, name_key) WHERE shared;

-- What a person's record shares with its likely duplicates: a letter for the reason and a hash.
CREATE TABLE duplicate_keys (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  duplicate_key TEXT NOT NULL,
  PRIMARY KEY (user_id, duplicate_key)
--sqlite:) WITHOUT ROWID;
--postgres:);
CREATE INDEX duplicate_keys_by_key ON duplicate_keys (realm_id, duplicate_key, user_id);
-- The keys that more than one user has, so that a list of duplicates need not look for them.
CREATE TABLE duplicate_groups (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  duplicate_key TEXT NOT NULL,
  PRIMARY KEY (realm_id, duplicate_key)
);
-- Pairs that somebody has said to be different people; the smaller id first.
CREATE TABLE duplicate_dismissals (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  first_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  second_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  dismissed_at BIGINT NOT NULL,
  PRIMARY KEY (first_id, second_id)
);
CREATE INDEX duplicate_dismissals_by_second ON duplicate_dismissals (second_id);
CREATE INDEX duplicate_dismissals_by_realm ON duplicate_dismissals (realm_id);
