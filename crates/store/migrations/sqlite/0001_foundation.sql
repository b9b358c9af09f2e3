-- Ids are 16 bytes (ULID) and hold their creation time. Times are milliseconds since 1970 UTC.
-- Keys rise with time, so new rows land on the last page of their table.

CREATE TABLE environment (
  id        BLOB NOT NULL PRIMARY KEY,
  name      TEXT NOT NULL UNIQUE,
  mode      TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  client_id TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- Only what differs from the default.
CREATE TABLE setting (
  environment_id BLOB NOT NULL REFERENCES environment (id),
  name           TEXT NOT NULL,
  value          TEXT NOT NULL,
  PRIMARY KEY (environment_id, name)
) STRICT, WITHOUT ROWID;

-- The key itself is nowhere; its keyed digest finds the row.
CREATE TABLE api_key (
  id             BLOB NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL REFERENCES environment (id),
  name           TEXT NOT NULL,
  hint           TEXT NOT NULL,
  digest         BLOB NOT NULL UNIQUE,
  permissions    TEXT NOT NULL,
  expires_at     INTEGER,
  revoked_at     INTEGER,
  last_used_at   INTEGER
) STRICT, WITHOUT ROWID;

-- Data keys, wrapped by the master key, which is never here.
CREATE TABLE data_key (
  id         INTEGER NOT NULL PRIMARY KEY,
  purpose    TEXT NOT NULL CHECK (purpose IN ('seal', 'digest', 'audit')),
  wrapped    BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  retired    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What is fixed at enrollment. sealed: a TOTP seed, or a phone number.
CREATE TABLE factor (
  id             BLOB NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL REFERENCES environment (id),
  user_id        TEXT,
  kind           TEXT NOT NULL CHECK (kind IN ('generic_otp', 'sms', 'totp')),
  issuer         TEXT,
  label_user     TEXT,
  sealed         BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX factor_by_user ON factor (environment_id, user_id, id) WHERE user_id IS NOT NULL;

-- What challenges and their answers change. A row for each factor, and nothing else in it: answers come for factors in
-- any order, so what they rewrite must be small. open_challenges: those that can still be answered.
CREATE TABLE factor_guard (
  factor_id       BLOB NOT NULL PRIMARY KEY REFERENCES factor (id) ON DELETE CASCADE,
  environment_id  BLOB NOT NULL,
  verified_at     INTEGER,
  wrong_in_a_row  INTEGER NOT NULL DEFAULT 0,
  locked_until    INTEGER,
  last_step       INTEGER,
  open_challenges BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- No index but the key: a factor lists its own open challenges, and old rows are found by their ids.
-- wrong_attempts: when and why, never a code.
CREATE TABLE challenge (
  id             BLOB NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  factor_id      BLOB NOT NULL,
  expires_at     INTEGER NOT NULL,
  attempts_used  INTEGER NOT NULL DEFAULT 0 CHECK (attempts_used BETWEEN 0 AND 5),
  verified_at    INTEGER,
  code_digest    BLOB,
  wrong_attempts BLOB
) STRICT, WITHOUT ROWID;

-- Wrong attempts of the last 24 hours over all factors of a user; a row exists for every user with a factor, so that
-- there is always one to lock. Deleting factors leaves it.
CREATE TABLE user_budget (
  environment_id BLOB NOT NULL REFERENCES environment (id),
  user_id        TEXT NOT NULL,
  wrong_at       BLOB NOT NULL,
  PRIMARY KEY (environment_id, user_id)
) STRICT, WITHOUT ROWID;

-- The outbox. sealed: the text with its code, erased with the outcome. The number is read from the factor.
-- provider, message_id: who took it, or may have, and under which id. dispatches: the tries. receipts: what was reported
-- since.
CREATE TABLE delivery (
  id             BLOB NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  factor_id      BLOB NOT NULL,
  challenge_id   BLOB NOT NULL,
  channel        TEXT NOT NULL,
  useful_until   INTEGER NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('owed', 'dispatching', 'settled')),
  lease_until    INTEGER,
  outcome        TEXT,
  settled_at     INTEGER,
  provider       TEXT,
  message_id     TEXT,
  dispatches     TEXT,
  receipts       TEXT,
  sealed         BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_unsettled ON delivery (id) WHERE state <> 'settled';
CREATE INDEX delivery_by_challenge ON delivery (challenge_id);
CREATE INDEX delivery_by_message ON delivery (provider, message_id) WHERE message_id IS NOT NULL;

-- What the limits on messages count.
CREATE TABLE sms_send (
  environment_id BLOB NOT NULL,
  number_digest  BLOB NOT NULL,
  at             INTEGER NOT NULL,
  delivery_id    BLOB NOT NULL,
  PRIMARY KEY (environment_id, number_digest, at, delivery_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sms_send_by_time ON sms_send (environment_id, at);

-- First answers to POSTs with an Idempotency-Key, kept two minutes. Rows rise by seq, so old ones are at the front.
CREATE TABLE remembered_answer (
  seq            INTEGER NOT NULL PRIMARY KEY,
  digest         BLOB NOT NULL UNIQUE,
  environment_id BLOB NOT NULL,
  created_at     INTEGER NOT NULL,
  pending        INTEGER NOT NULL,
  sealed         BLOB NOT NULL
) STRICT;

-- The audit trail. Each mac covers the row and the mac before it.
CREATE TABLE event (
  seq            INTEGER NOT NULL PRIMARY KEY,
  at             INTEGER NOT NULL,
  environment_id BLOB,
  kind           TEXT NOT NULL,
  actor          TEXT NOT NULL,
  factor_id      BLOB,
  challenge_id   BLOB,
  user_id        TEXT,
  detail         TEXT,
  mac            BLOB NOT NULL
) STRICT;

-- Where the trail ends: one row, rewritten with each commit that adds entries, so that entries cut off the end are missed.
-- proof: keyed, over the last entry's number and mac.
CREATE TABLE trail_end (
  id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  seq   INTEGER NOT NULL,
  mac   BLOB NOT NULL,
  proof BLOB NOT NULL
) STRICT;

-- One row, rewritten to see whether a commit comes through.
CREATE TABLE heartbeat (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  at INTEGER NOT NULL
) STRICT;
