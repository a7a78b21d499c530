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
