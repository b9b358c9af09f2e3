//! Every statement of the catalogue: that it fits the schema, and whom it may touch.

use crate::laws::common::House;
use crate::store::statements::ALL;

/// The tables of tenant data.
pub(crate) const TENANT: [&str; 8] = [
    "factor",
    "factor_guard",
    "challenge",
    "user_budget",
    "delivery",
    "sms_send",
    "guard_spend",
    "remembered_answer",
];

/// Statements that look across environments, and why each may.
const ACROSS: [(&str, &str); 18] = [
    ("FACTORS_TO_RESEAL", "rotation walks all rows; what it writes back names the environment it read"),
    ("DELIVERIES_TO_RESEAL", "likewise"),
    ("OWED_DELIVERIES", "the outbox worker serves all environments; a delivery brings its own along"),
    ("FIND_OWED_DELIVERY", "likewise, of one that this node has just opened"),
    ("ABANDONED_DELIVERIES", "likewise"),
    (
        "DELIVERY_REPORTED",
        "a provider serves all environments and knows none; what is written names the one found",
    ),
    ("MESSAGE_REPORTED", "likewise, and finds an id only"),
    ("OLDEST_UNSETTLED_DELIVERY", "a figure of the whole server"),
    ("RECALL_ANSWER", "the digest holds the API key, and the step compares the environment"),
    ("LATEST_FACTOR", "the latest time the store has seen, whoever brought it"),
    ("LATEST_CHALLENGE", "likewise"),
    ("GUARDS_AFTER", "a floor is for the whole store, as a restored backup is"),
    ("RAISE_LAST_STEPS", "likewise"),
    ("CANCEL_DELIVERIES", "likewise"),
    ("END_OF_BITE", "a bite of challenges by age alone, the same for all"),
    ("PURGE_CHALLENGES", "by age alone, the same for all"),
    ("PURGE_ANSWERS", "likewise"),
    ("PURGE_DELIVERIES", "likewise"),
];

/// The tables that a statement names.
fn tables(sql: &str) -> Vec<&str> {
    let words: Vec<&str> =
        sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    let named = words.windows(2).filter(|pair| matches!(pair[0], "FROM" | "JOIN" | "INTO" | "UPDATE"));
    named.map(|pair| pair[1]).collect()
}

#[test]
fn i12_every_statement_on_tenant_data_names_the_environment() {
    for statement in ALL {
        let (name, sql) = (statement.name, statement.sql);
        if !tables(sql).iter().any(|table| TENANT.contains(table)) {
            continue;
        }
        let scoped = match sql.split_once("VALUES") {
            Some((columns, _)) => columns.contains("environment_id"),
            None => {
                sql.split_once("WHERE").is_some_and(|(_, condition)| condition.contains("environment_id = $"))
            }
        };
        let excused = ACROSS.iter().any(|(excused, _)| *excused == name);
        assert!(scoped || excused, "{name} does not name the environment");
        assert!(!(scoped && excused), "{name} names the environment and needs no excuse");
    }
    for (name, _) in ACROSS {
        assert!(ALL.iter().any(|s| s.name == name), "{name} is excused and does not exist");
    }
}

#[test]
fn the_lint_sees_a_statement_without_its_environment() {
    assert_eq!(tables("SELECT x FROM factor AS f JOIN challenge ON 1"), ["factor", "challenge"]);
    assert_eq!(tables("INSERT INTO\n sms_send (a) VALUES ($1)"), ["sms_send"]);
    assert_eq!(tables("UPDATE delivery SET a = 1"), ["delivery"]);
    assert_eq!(tables("DELETE FROM user_budget WHERE 1"), ["user_budget"]);
}

#[tokio::test]
async fn every_statement_fits_the_schema_and_numbers_its_parameters_without_a_gap() {
    let house = House::new().await;
    for statement in ALL {
        let params = house.bench.parameters(statement).await;
        let highest = (1..=20).rev().find(|n| statement.sql.contains(&format!("${n}"))).unwrap_or(0);
        assert_eq!(params, highest, "{}", statement.name);
        for n in 1..=highest {
            assert!(statement.sql.contains(&format!("${n}")), "{} skips ${n}", statement.name);
        }
    }
}
