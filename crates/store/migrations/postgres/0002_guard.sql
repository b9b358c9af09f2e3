-- What the guard looks at, empty where it counts nothing. area: the first digits of the number, never the last four.
-- micros: the price in millionths. verified_at: when the code came back.
ALTER TABLE sms_send ADD COLUMN challenge_id BYTEA;
ALTER TABLE sms_send ADD COLUMN block_digest BYTEA;
ALTER TABLE sms_send ADD COLUMN area TEXT;
ALTER TABLE sms_send ADD COLUMN country TEXT;
ALTER TABLE sms_send ADD COLUMN user_digest BYTEA;
ALTER TABLE sms_send ADD COLUMN address_digest BYTEA;
ALTER TABLE sms_send ADD COLUMN segments BIGINT;
ALTER TABLE sms_send ADD COLUMN micros BIGINT;
ALTER TABLE sms_send ADD COLUMN verified_at BIGINT;
CREATE INDEX sms_send_by_block ON sms_send (environment_id, block_digest, at) WHERE block_digest IS NOT NULL;
CREATE INDEX sms_send_by_country ON sms_send (environment_id, country, at) WHERE country IS NOT NULL;
CREATE INDEX sms_send_by_user ON sms_send (environment_id, user_digest, at) WHERE user_digest IS NOT NULL;
CREATE INDEX sms_send_by_address ON sms_send (environment_id, address_digest, at) WHERE address_digest IS NOT NULL;

-- What a day has cost, from midnight UTC: a row for each country that was sent to.
CREATE TABLE guard_spend (
  environment_id BYTEA NOT NULL,
  day            BIGINT NOT NULL,
  country        TEXT NOT NULL,
  micros         BIGINT NOT NULL,
  PRIMARY KEY (environment_id, day, country)
);
