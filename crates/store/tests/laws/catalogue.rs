//! Every statement of the catalogue: that it fits the schema, and whom it may touch.

use crate::common::House;
use crate::store::statements::ALL;

/// The tables of tenant data.
const TENANT: [&str; 6] = ["factor", "challenge", "user_budget", "delivery", "sms_send", "remembered_answer"];

/// Statements that look across environments, and why each may.
const ACROSS: [(&str, &str); 12] = [
    ("FACTORS_TO_RESEAL", "rotation walks all rows; what it writes back names the environment it read"),
    ("DELIVERIES_TO_RESEAL", "likewise"),
    ("OWED_DELIVERIES", "the outbox worker serves all environments; a delivery brings its own along"),
    ("FIND_OWED_DELIVERY", "likewise, of one that this node has just opened"),
    ("ABANDONED_DELIVERIES", "likewise"),
    ("OLDEST_UNSETTLED_DELIVERY", "a figure of the whole server"),
    ("RECALL_ANSWER", "the digest holds the API key, and the step compares the environment"),
    ("LATEST_FACTOR", "the latest time the store has seen, whoever brought it"),
    ("LATEST_CHALLENGE", "likewise"),
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
    let direct = house.direct();
    for statement in ALL {
        let prepared = direct.prepare(&statement.sql.replace('$', "?"));
        let prepared = prepared.unwrap_or_else(|e| panic!("{}: {e}", statement.name));
        let highest = (1..=20).rev().find(|n| statement.sql.contains(&format!("${n}"))).unwrap_or(0);
        assert_eq!(prepared.parameter_count(), highest, "{}", statement.name);
        for n in 1..=highest {
            assert!(statement.sql.contains(&format!("${n}")), "{} skips ${n}", statement.name);
        }
    }
}

/// What is done for a request must not grow with the number of rows: no table of tenant data is read from end to end.
#[tokio::test]
async fn i14_no_statement_reads_a_whole_table_of_tenant_data() {
    let house = House::new().await;
    let direct = house.direct();
    // Erasing a dev environment reads what it erases. The others stop at their LIMIT.
    let allowed = |name: &str, sql: &str| name.starts_with("ERASE_") || sql.contains("LIMIT");
    for statement in ALL {
        let mut plan =
            direct.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql.replace('$', "?"))).unwrap();
        let mut rows = plan.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get(3).unwrap();
            let whole = step.starts_with("SCAN") && TENANT.iter().any(|t| step.contains(t));
            assert!(!whole || allowed(statement.name, statement.sql), "{}: {step}", statement.name);
        }
    }
}
