-- Messages go by more ways than one, and realms word them as they like.

-- Why the realm's own text could not be used for it, where it could not.
ALTER TABLE messages ADD COLUMN template_error TEXT;
-- Each way of sending looks for what is due on it alone.
CREATE INDEX messages_due_by_channel ON messages (channel, due_at) WHERE due_at IS NOT NULL;

-- A realm's own texts of messages.
CREATE TABLE message_templates (
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  template TEXT NOT NULL,
  language TEXT NOT NULL,
  subject TEXT NOT NULL,
  body_text TEXT NOT NULL,
  body_html TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (realm_id, template, language)
);

-- Resets that agents asked for and that users have not done yet: at most one of a kind for each user. The link itself
-- is in action_tokens.
CREATE TABLE reset_requests (
  id TEXT PRIMARY KEY,
  realm_id TEXT NOT NULL REFERENCES realms (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  -- Who asked, as the event of it names them.
  requested_by TEXT NOT NULL,
  requested_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  -- The mail that carries the link; none where an agent handed it over.
  message_id TEXT,
  followed_at BIGINT
);
CREATE UNIQUE INDEX reset_requests_kind ON reset_requests (user_id, kind);
CREATE INDEX reset_requests_by_realm ON reset_requests (realm_id);
