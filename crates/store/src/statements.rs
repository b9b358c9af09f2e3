//! The statement catalogue. Every statement on tenant data names the environment (I12); a test reads this file for it.
//!
//! After the text stands what a statement needs where several writers run at once: the lock under which it reads what
//! decides about a write, and whether it may be run once for many steps (`docs/decisions/0009-many-writers.md`).

use crate::statement::{
    By::{Found, Params},
    Sharing, Subject, catalogue,
};

catalogue! {
    // Environments, settings, API keys. Few and small; read whole at start and after each change,
    // of which other nodes learn by its commit.
    LIST_ENVIRONMENTS = "SELECT id, name, mode, client_id FROM environment ORDER BY id LIMIT 10000";
    CREATE_ENVIRONMENT = "INSERT INTO environment (id, name, mode, client_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING",
        Sharing::ANNOUNCED;
    LIST_SETTINGS = "SELECT environment_id, name, value FROM setting ORDER BY environment_id, name LIMIT 1000000";
    SET_SETTING = "INSERT INTO setting (environment_id, name, value) VALUES ($1, $2, $3)
        ON CONFLICT (environment_id, name) DO UPDATE SET value = excluded.value",
        Sharing::ANNOUNCED;
    UNSET_SETTING = "DELETE FROM setting WHERE environment_id = $1 AND name = $2",
        Sharing::ANNOUNCED;
    LIST_API_KEYS = "SELECT id, environment_id, name, hint, digest, permissions, expires_at, revoked_at, last_used_at
        FROM api_key ORDER BY id LIMIT 1000000";
    CREATE_API_KEY = "INSERT INTO api_key (id, environment_id, name, hint, digest, permissions, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        Sharing::ANNOUNCED;
    REVOKE_API_KEY = "UPDATE api_key SET revoked_at = $3
        WHERE id = $1 AND environment_id = $2 AND revoked_at IS NULL",
        Sharing::ANNOUNCED;
    USE_API_KEY = "UPDATE api_key SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";

    NEWEST_MIGRATION = "SELECT coalesce(max(version), 0) FROM migration";

    // The key ring.
    LIST_DATA_KEYS = "SELECT id, purpose, wrapped, created_at, retired FROM data_key ORDER BY id LIMIT 10000",
        Sharing::name(Subject::KeyRing, 0);
    CREATE_DATA_KEY = "INSERT INTO data_key (id, purpose, wrapped, created_at, retired) VALUES ($1, $2, $3, $4, $5)",
        Sharing::ANNOUNCED;
    REWRAP_DATA_KEY = "UPDATE data_key SET wrapped = $2 WHERE id = $1",
        Sharing::ANNOUNCED;
    RETIRE_DATA_KEY = "UPDATE data_key SET retired = 1 WHERE id = $1 AND purpose = 'seal'",
        Sharing::ANNOUNCED;
    FACTORS_TO_RESEAL = "SELECT id, environment_id, sealed FROM factor WHERE id > $1 AND sealed IS NOT NULL
        ORDER BY id LIMIT $2",
        Sharing::rows(Subject::Factor, Params(1), "FOR UPDATE");
    RESEAL_FACTOR = "UPDATE factor SET sealed = $3 WHERE id = $1 AND environment_id = $2 AND sealed = $4";
    DELIVERIES_TO_RESEAL = "SELECT id, environment_id, sealed FROM delivery WHERE id > $1 AND sealed IS NOT NULL
        AND state <> 'settled' ORDER BY id LIMIT $2",
        Sharing::rows(Subject::Delivery, Params(1), "FOR UPDATE");
    RESEAL_DELIVERY = "UPDATE delivery SET sealed = $3 WHERE id = $1 AND environment_id = $2 AND sealed = $4";

    // Factors.
    CREATE_FACTOR = "INSERT INTO factor
        (id, environment_id, user_id, kind, issuer, label_user, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    CREATE_GUARD = "INSERT INTO factor_guard (factor_id, environment_id, open_challenges) VALUES ($1, $2, $3)";
    FIND_FACTOR = "SELECT f.id, f.user_id, f.kind, f.issuer, f.label_user, f.sealed,
        g.verified_at, g.wrong_in_a_row, g.locked_until
        FROM factor AS f JOIN factor_guard AS g ON g.factor_id = f.id AND g.environment_id = f.environment_id
        WHERE f.id = $1 AND f.environment_id = $2";
    COUNT_FACTORS_OF_USER = "SELECT count(*) FROM
        (SELECT 1 FROM factor WHERE environment_id = $1 AND user_id = $2 LIMIT $3) AS found",
        Sharing::name(Subject::FactorCount, 2);
    DELETE_FACTOR = "DELETE FROM factor WHERE id = $1 AND environment_id = $2";
    // Whoever changes anything about a factor holds its guard.
    FIND_USER_OF_FACTOR = "SELECT f.user_id
        FROM factor AS f JOIN factor_guard AS g ON g.factor_id = f.id AND g.environment_id = f.environment_id
        WHERE f.id = $1 AND f.environment_id = $2",
        Sharing::rows(Subject::Factor, Params(1), "FOR UPDATE OF g");
    RESET_FACTOR = "UPDATE factor_guard SET wrong_in_a_row = 0, locked_until = NULL
        WHERE factor_id = $1 AND environment_id = $2";
    LIST_FACTORS_AFTER = "SELECT f.id, f.user_id, f.kind, f.issuer, f.label_user, f.sealed,
        g.verified_at, g.wrong_in_a_row, g.locked_until
        FROM factor AS f JOIN factor_guard AS g ON g.factor_id = f.id AND g.environment_id = f.environment_id
        WHERE f.environment_id = $1 AND f.user_id = $2 AND f.id > $3
        AND ($4 = 0 OR g.verified_at IS NOT NULL) ORDER BY f.id ASC LIMIT $5";
    LIST_FACTORS_BEFORE = "SELECT f.id, f.user_id, f.kind, f.issuer, f.label_user, f.sealed,
        g.verified_at, g.wrong_in_a_row, g.locked_until
        FROM factor AS f JOIN factor_guard AS g ON g.factor_id = f.id AND g.environment_id = f.environment_id
        WHERE f.environment_id = $1 AND f.user_id = $2 AND f.id < $3
        AND ($4 = 0 OR g.verified_at IS NOT NULL) ORDER BY f.id DESC LIMIT $5";

    // Challenges.
    GUARD_OF_FACTOR = "SELECT f.user_id, f.kind, f.sealed,
        g.wrong_in_a_row, g.locked_until, g.last_step, g.verified_at, g.open_challenges
        FROM factor AS f JOIN factor_guard AS g ON g.factor_id = f.id AND g.environment_id = f.environment_id
        WHERE f.id = $1 AND f.environment_id = $2",
        Sharing::rows(Subject::Factor, Params(1), "ORDER BY f.id FOR UPDATE OF g").for_many();
    CREATE_CHALLENGE = "INSERT INTO challenge (id, environment_id, factor_id, expires_at, code_digest)
        VALUES ($1, $2, $3, $4, $5)",
        Sharing::MANY;
    LIST_OPEN_CHALLENGE = "UPDATE factor_guard SET open_challenges = $3 WHERE factor_id = $1 AND environment_id = $2",
        Sharing::MANY;
    CHALLENGE_TO_ANSWER = "SELECT c.factor_id, c.expires_at, c.attempts_used, c.verified_at, c.code_digest, c.wrong_attempts,
        f.user_id, f.kind, f.sealed, g.wrong_in_a_row, g.locked_until, g.last_step, g.verified_at, g.open_challenges
        FROM challenge AS c JOIN factor AS f ON f.id = c.factor_id AND f.environment_id = c.environment_id
        JOIN factor_guard AS g ON g.factor_id = c.factor_id AND g.environment_id = c.environment_id
        WHERE c.id = $1 AND c.environment_id = $2",
        Sharing::rows(Subject::Factor, Found, "ORDER BY c.factor_id, c.id FOR UPDATE OF g, c").for_many();
    SPEND_ATTEMPT = "UPDATE challenge SET attempts_used = $3, verified_at = $4, wrong_attempts = $5
        WHERE id = $1 AND environment_id = $2 AND attempts_used = $3 - 1 AND verified_at IS NULL",
        Sharing::MANY;
    CHARGE_FACTOR = "UPDATE factor_guard SET wrong_in_a_row = $3, locked_until = $4, open_challenges = $5
        WHERE factor_id = $1 AND environment_id = $2",
        Sharing::MANY;
    // The guard of I5: the step only rises. A sent code has no step and leaves it.
    ACCEPT_ON_FACTOR = "UPDATE factor_guard SET wrong_in_a_row = 0, locked_until = NULL,
        last_step = COALESCE($3, last_step), verified_at = $4, open_challenges = $5
        WHERE factor_id = $1 AND environment_id = $2 AND ($3 IS NULL OR last_step IS NULL OR last_step < $3)",
        Sharing::MANY;
    CHALLENGE_AS_KEPT = "SELECT c.factor_id, c.expires_at, c.attempts_used, c.verified_at, c.wrong_attempts, f.kind,
        g.open_challenges
        FROM challenge AS c JOIN factor AS f ON f.id = c.factor_id AND f.environment_id = c.environment_id
        JOIN factor_guard AS g ON g.factor_id = c.factor_id AND g.environment_id = c.environment_id
        WHERE c.id = $1 AND c.environment_id = $2";
    WITHDRAW_CHALLENGE = "DELETE FROM challenge WHERE id = $1 AND environment_id = $2";

    // Users.
    FIND_USER_BUDGET = "SELECT wrong_at FROM user_budget WHERE environment_id = $1 AND user_id = $2",
        Sharing::rows(Subject::User, Params(2), "ORDER BY environment_id, user_id FOR UPDATE").for_many();
    OPEN_USER_BUDGET = "INSERT INTO user_budget (environment_id, user_id, wrong_at) VALUES ($1, $2, $3)
        ON CONFLICT (environment_id, user_id) DO NOTHING";
    CHARGE_USER = "UPDATE user_budget SET wrong_at = $3 WHERE environment_id = $1 AND user_id = $2",
        Sharing::MANY;

    // Messages.
    RECENT_SENDS_TO_NUMBER = "SELECT at FROM sms_send WHERE environment_id = $1 AND number_digest = $2 AND at > $3
        ORDER BY at DESC LIMIT $4",
        Sharing::name(Subject::Number, 2);
    NTH_LATEST_SEND = "SELECT at FROM sms_send WHERE environment_id = $1 AND at > $2 ORDER BY at DESC LIMIT 1 OFFSET $3",
        Sharing::name(Subject::Quota, 1);
    COUNT_SEND = "INSERT INTO sms_send (environment_id, number_digest, at, delivery_id, challenge_id, block_digest, area,
        country, user_digest, address_digest, segments, micros)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        Sharing::MANY;
    FIND_SEND = "SELECT at, country, micros FROM sms_send
        WHERE environment_id = $1 AND number_digest = $2 AND delivery_id = $3 LIMIT 1";
    FORGET_SEND = "DELETE FROM sms_send WHERE environment_id = $1 AND number_digest = $2 AND delivery_id = $3";
    // What the guard counts. It is read under the lock on the environment's quota, and written before that is let go.
    RECENT_SENDS_TO_BLOCK = "SELECT at, verified_at FROM sms_send
        WHERE environment_id = $1 AND block_digest = $2 AND at > $3 ORDER BY at DESC LIMIT $4";
    RECENT_SENDS_TO_COUNTRY = "SELECT at FROM sms_send
        WHERE environment_id = $1 AND country = $2 AND at > $3 ORDER BY at DESC LIMIT $4";
    RECENT_SENDS_TO_USER = "SELECT at FROM sms_send
        WHERE environment_id = $1 AND user_digest = $2 AND at > $3 ORDER BY at DESC LIMIT $4";
    RECENT_SENDS_TO_ADDRESS = "SELECT at FROM sms_send
        WHERE environment_id = $1 AND address_digest = $2 AND at > $3 ORDER BY at DESC LIMIT $4";
    SPENT_IN_DAY = "SELECT country, micros FROM guard_spend WHERE environment_id = $1 AND day = $2
        ORDER BY country LIMIT 1000";
    SPEND = "INSERT INTO guard_spend (environment_id, day, country, micros) VALUES ($1, $2, $3, $4)
        ON CONFLICT (environment_id, day, country) DO UPDATE SET micros = guard_spend.micros + excluded.micros";
    REFUND = "UPDATE guard_spend SET micros = micros - $4
        WHERE environment_id = $1 AND day = $2 AND country = $3 AND micros >= $4";
    MARK_VERIFIED = "UPDATE sms_send SET verified_at = $4
        WHERE environment_id = $1 AND number_digest = $2 AND challenge_id = $3",
        Sharing::MANY;
    LIST_TRAFFIC = "SELECT at, delivery_id, number_digest, block_digest, area, country, user_digest, address_digest,
        segments, micros, verified_at FROM sms_send WHERE environment_id = $1 AND at >= $2 ORDER BY at LIMIT $3";
    CREATE_DELIVERY = "INSERT INTO delivery
        (id, environment_id, factor_id, challenge_id, channel, useful_until, state, lease_until, sealed)
        VALUES ($1, $2, $3, $4, $5, $6, 'owed', $7, $8)",
        Sharing::MANY;
    OWED_DELIVERIES = "SELECT d.id, d.environment_id, d.challenge_id, d.useful_until, d.sealed, f.id, f.sealed,
            g.open_challenges
        FROM delivery AS d LEFT JOIN factor AS f ON f.id = d.factor_id AND f.environment_id = d.environment_id
        LEFT JOIN factor_guard AS g ON g.factor_id = d.factor_id AND g.environment_id = d.environment_id
        WHERE d.state = 'owed' AND (d.lease_until IS NULL OR d.lease_until <= $1) ORDER BY d.id LIMIT $2";
    FIND_OWED_DELIVERY = "SELECT d.id, d.environment_id, d.challenge_id, d.useful_until, d.sealed, f.id, f.sealed,
            g.open_challenges
        FROM delivery AS d LEFT JOIN factor AS f ON f.id = d.factor_id AND f.environment_id = d.environment_id
        LEFT JOIN factor_guard AS g ON g.factor_id = d.factor_id AND g.environment_id = d.environment_id
        WHERE d.id = $1 AND d.state = 'owed'";
    CLAIM_DELIVERY = "UPDATE delivery SET state = 'dispatching', lease_until = $3
        WHERE id = $1 AND environment_id = $2 AND state = 'owed'";
    CLAIMED_DELIVERY = "SELECT d.challenge_id, d.useful_until, g.open_challenges FROM delivery AS d
        LEFT JOIN factor_guard AS g ON g.factor_id = d.factor_id AND g.environment_id = d.environment_id
        WHERE d.id = $1 AND d.environment_id = $2 AND d.state = 'dispatching'",
        Sharing::rows(Subject::Delivery, Params(1), "FOR UPDATE OF d");
    HOLD_DELIVERY = "UPDATE delivery SET lease_until = $3, dispatches = $4
        WHERE id = $1 AND environment_id = $2 AND state = 'dispatching'";
    FIND_UNSETTLED_DELIVERY = "SELECT challenge_id, factor_id FROM delivery
        WHERE id = $1 AND environment_id = $2 AND state <> 'settled'",
        Sharing::rows(Subject::Delivery, Params(1), "FOR UPDATE");
    // A receipt may have said before who has it.
    SETTLE_DELIVERY = "UPDATE delivery SET state = 'settled', outcome = $3, lease_until = NULL, sealed = NULL,
        settled_at = $4, provider = COALESCE($5, provider), message_id = COALESCE($6, message_id),
        dispatches = COALESCE($7, dispatches)
        WHERE id = $1 AND environment_id = $2 AND state <> 'settled'";
    // Who got the last message to a number, for one that is sent again.
    LAST_PROVIDER_TO_NUMBER = "SELECT d.provider FROM sms_send AS s
        JOIN delivery AS d ON d.id = s.delivery_id AND d.environment_id = s.environment_id
        WHERE s.environment_id = $1 AND s.number_digest = $2 AND s.at > $3 AND s.delivery_id <> $4
        AND d.provider IS NOT NULL ORDER BY s.at DESC, s.delivery_id DESC LIMIT 1";
    DELIVERIES_OF_CHALLENGE = "SELECT d.id, d.channel, d.useful_until, d.outcome, d.settled_at, d.provider, d.message_id,
        d.dispatches, d.receipts, f.id, f.kind
        FROM delivery AS d JOIN factor AS f ON f.id = d.factor_id AND f.environment_id = d.environment_id
        WHERE d.challenge_id = $1 AND d.environment_id = $2 ORDER BY d.id LIMIT 10";
    // What providers report comes without an environment: it is about a message by our id for it, or by theirs.
    DELIVERY_REPORTED = "SELECT id, environment_id, provider, receipts FROM delivery WHERE id = $1",
        Sharing::rows(Subject::Delivery, Params(1), "FOR UPDATE");
    MESSAGE_REPORTED = "SELECT id FROM delivery WHERE provider = $1 AND message_id = $2 ORDER BY id DESC LIMIT 1";
    NOTE_RECEIPT = "UPDATE delivery SET receipts = $3, provider = $4, message_id = COALESCE(message_id, $5)
        WHERE id = $1 AND environment_id = $2";
    ABANDONED_DELIVERIES = "SELECT id, environment_id, factor_id, challenge_id FROM delivery
        WHERE state = 'dispatching' AND lease_until <= $1 ORDER BY id LIMIT $2";
    OLDEST_UNSETTLED_DELIVERY = "SELECT id FROM delivery WHERE state <> 'settled' ORDER BY id LIMIT 1";

    // Remembered answers.
    RECALL_ANSWER = "SELECT environment_id, created_at, pending, sealed FROM remembered_answer WHERE digest = $1",
        Sharing::name(Subject::Answer, 1).for_many();
    REMEMBER_ANSWER = "INSERT INTO remembered_answer (digest, environment_id, created_at, pending, sealed)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (digest) DO UPDATE SET environment_id = excluded.environment_id,
        created_at = excluded.created_at, pending = excluded.pending, sealed = excluded.sealed",
        Sharing::MANY;
    SETTLE_ANSWER = "UPDATE remembered_answer SET pending = 0, sealed = $3
        WHERE digest = $1 AND environment_id = $2 AND pending = 1";
    FORGET_ANSWER = "DELETE FROM remembered_answer WHERE digest = $1 AND environment_id = $2 AND pending = 1";

    // The trail.
    LAST_EVENT = "SELECT seq, at, mac FROM event ORDER BY seq DESC LIMIT 1";
    APPEND_EVENT = "INSERT INTO event
        (seq, at, environment_id, kind, actor, factor_id, challenge_id, user_id, detail, mac)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        Sharing::MANY;
    TRAIL_END = "SELECT seq, mac, proof FROM trail_end WHERE id = 1";
    SET_TRAIL_END = "INSERT INTO trail_end (id, seq, mac, proof) VALUES (1, $1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, mac = excluded.mac, proof = excluded.proof";
    EVENTS_FROM = "SELECT seq, at, environment_id, kind, actor, factor_id, challenge_id, user_id, detail, mac
        FROM event WHERE seq >= $1 ORDER BY seq LIMIT $2";

    // Readiness: one row, rewritten; and read, by whoever only passes through where challenges are opened or answered.
    LAST_TOUCH = "SELECT at FROM heartbeat WHERE id = 1";
    TOUCH = "INSERT INTO heartbeat (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at";

    // The latest time the store has seen.
    LATEST_FACTOR = "SELECT id FROM factor ORDER BY id DESC LIMIT 1";
    LATEST_CHALLENGE = "SELECT id FROM challenge ORDER BY id DESC LIMIT 1";

    // Purges, in small bites from the old end. Challenges are many: where a bite ends is found first, and the next begins
    // there, for PostgreSQL's index still holds what is gone until it is vacuumed.
    END_OF_BITE = "SELECT id FROM challenge WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3";
    PURGE_CHALLENGES = "DELETE FROM challenge WHERE id >= $1 AND id < $2";
    // A range, not a list of keys: that could be joined with the whole table.
    PURGE_ANSWERS = "DELETE FROM remembered_answer WHERE created_at < $1 AND seq <= (SELECT max(seq) FROM
        (SELECT seq FROM remembered_answer ORDER BY seq LIMIT $2) AS oldest)";
    PURGE_SENDS = "DELETE FROM sms_send WHERE environment_id = $1 AND at < $2";
    PURGE_SPEND = "DELETE FROM guard_spend WHERE environment_id = $1 AND day < $2";
    PURGE_DELIVERIES = "DELETE FROM delivery WHERE state = 'settled' AND id <= (SELECT id FROM
        (SELECT id FROM delivery WHERE id < $1 AND state = 'settled' ORDER BY id LIMIT $2) AS oldest
        ORDER BY id DESC LIMIT 1)";
    UNVERIFIED_FACTORS = "SELECT factor_id FROM factor_guard WHERE environment_id = $1 AND factor_id > $2
        AND factor_id < $3 AND verified_at IS NULL ORDER BY factor_id LIMIT $4";
    PURGE_UNVERIFIED_FACTOR = "DELETE FROM factor WHERE id = $1 AND environment_id = $2 AND EXISTS
        (SELECT 1 FROM factor_guard WHERE factor_id = $1 AND environment_id = $2 AND verified_at IS NULL)";

    // The replay floor.
    GUARDS_AFTER = "SELECT factor_id FROM factor_guard WHERE factor_id > $1 ORDER BY factor_id LIMIT $2";
    RAISE_LAST_STEPS = "UPDATE factor_guard SET open_challenges = $4,
        last_step = CASE WHEN last_step > $3 THEN last_step ELSE $3 END WHERE factor_id > $1 AND factor_id <= $2";
    CANCEL_DELIVERIES = "UPDATE delivery SET state = 'settled', outcome = $1, lease_until = NULL, sealed = NULL,
        settled_at = $2
        WHERE state <> 'settled'";

    // The dev environment's reset.
    ERASE_FACTORS = "DELETE FROM factor WHERE environment_id = $1";
    ERASE_CHALLENGES = "DELETE FROM challenge WHERE environment_id = $1";
    ERASE_USER_BUDGETS = "DELETE FROM user_budget WHERE environment_id = $1";
    ERASE_SENDS = "DELETE FROM sms_send WHERE environment_id = $1";
    ERASE_SPEND = "DELETE FROM guard_spend WHERE environment_id = $1";
    ERASE_DELIVERIES = "DELETE FROM delivery WHERE environment_id = $1";
    ERASE_ANSWERS = "DELETE FROM remembered_answer WHERE environment_id = $1";
}
