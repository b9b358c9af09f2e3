//! How PostgreSQL goes about the statements, in every form in which they are sent, on tables with many rows.

use super::{
    connection::Connection,
    desk::Value,
    migrate::migrate,
    options::Options,
    texts::{Form, text},
};
use crate::{statement::Statement, statements::ALL};
use domain::time::Timestamp;
use testkit::postgres::Database;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Tables that grow with use.
const GROWING: [&str; 8] = [
    "factor",
    "factor_guard",
    "challenge",
    "user_budget",
    "delivery",
    "sms_send",
    "remembered_answer",
    "event",
];

/// Enough rows of each that reading all of them is the worse plan, with statistics.
const FILL: &str = "
    CREATE FUNCTION an_id(n BIGINT) RETURNS BYTEA IMMUTABLE LANGUAGE SQL AS
        $$ SELECT decode(lpad(to_hex(n), 32, '0'), 'hex') $$;
    INSERT INTO environment VALUES (an_id(1), 'a', 'test', 'client_a');
    INSERT INTO factor SELECT an_id(n), an_id(1), 'user' || n / 2, 'totp', 'a', 'b', 'x'
        FROM generate_series(1, 5000) AS s (n);
    INSERT INTO factor_guard SELECT an_id(n), an_id(1), 1, 0, NULL, 1, '' FROM generate_series(1, 5000) AS s (n);
    INSERT INTO challenge SELECT an_id(n), an_id(1), an_id(n % 5000), n, 1, n, NULL
        FROM generate_series(1, 50000) AS s (n);
    INSERT INTO user_budget SELECT an_id(1), 'user' || n, '' FROM generate_series(1, 5000) AS s (n);
    INSERT INTO delivery SELECT an_id(n), an_id(1), an_id(n), an_id(n), 'sms', n,
        CASE WHEN n < 4990 THEN 'settled' ELSE 'owed' END, NULL, NULL, NULL FROM generate_series(1, 5000) AS s (n);
    INSERT INTO sms_send SELECT an_id(1), an_id(n % 100), n, an_id(n) FROM generate_series(1, 5000) AS s (n);
    INSERT INTO remembered_answer (digest, environment_id, created_at, pending, sealed)
        SELECT an_id(n), an_id(1), n, 0, '' FROM generate_series(1, 5000) AS s (n);
    INSERT INTO event SELECT n, n, an_id(1), 'k', 'a', NULL, NULL, NULL, NULL, '' FROM generate_series(1, 5000) AS s (n);
    ANALYZE;";

async fn lines(client: &Client, sql: &str) -> Result<Vec<String>, String> {
    let told = client.simple_query(sql).await;
    let told = told.map_err(|e| e.as_db_error().map_or(e.to_string(), |e| e.message().to_owned()))?;
    let row = |m| if let SimpleQueryMessage::Row(row) = m { row.get(0).map(str::to_owned) } else { None };
    Ok(told.into_iter().filter_map(row).collect())
}

/// Prepares a text as `p`; what the text alone does not type is a number.
async fn prepare(client: &Client, text: &str) -> Vec<String> {
    let mut types: Vec<&str> = vec!["unknown"; (1..=20).filter(|n| text.contains(&format!("${n}"))).count()];
    loop {
        let list = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
        let Err(e) = lines(client, &format!("PREPARE p {list} AS {text}")).await else { break };
        let at = e.strip_prefix("could not determine data type of parameter $").and_then(|n| n.parse().ok());
        let at: usize = at.unwrap_or_else(|| panic!("{text}: {e}"));
        assert_eq!(std::mem::replace(&mut types[at - 1], "bigint"), "unknown", "{text}");
    }
    let types = "SELECT unnest(parameter_types)::text FROM pg_prepared_statements WHERE name = 'p'";
    lines(client, types).await.unwrap()
}

async fn plan(client: &Client, text: &str) -> (Vec<String>, Vec<String>) {
    let types = prepare(client, text).await;
    let nulls = vec!["NULL"; types.len()].join(", ");
    let nulls = if types.is_empty() { nulls } else { format!("({nulls})") };
    let plan = lines(client, &format!("EXPLAIN EXECUTE p{nulls}")).await.unwrap();
    client.batch_execute("DEALLOCATE p").await.unwrap();
    (plan, types)
}

/// The lines of a plan that read a growing table, or an index of it, from end to end.
fn whole(plan: &[String]) -> Vec<&str> {
    let reads = |line: &str| {
        let (how, of) = line.split_once(" on ").unwrap_or((line, ""));
        // Indexes are named after their tables.
        let of = of.split_whitespace().next().unwrap_or_default();
        how.contains("Scan") && GROWING.iter().any(|table| of.starts_with(table))
    };
    let mut found = Vec::new();
    for (i, line) in plan.iter().enumerate().filter(|(_, line)| reads(line)) {
        let details = plan.iter().skip(i + 1).take_while(|line| !line.contains("->"));
        let bounded = details.clone().any(|d| d.contains("Index Cond") || d.contains("Recheck Cond"));
        if line.contains("Seq Scan") || !bounded && !stops(plan, i) {
            found.push(line.trim());
        }
    }
    found
}

/// Whether what stands above a line stops it once there are enough rows, without having to see all of them first.
fn stops(plan: &[String], line: usize) -> bool {
    let depth = |line: &str| line.find("->").or(line.starts_with(|c: char| c != ' ').then_some(0));
    let mut below = plan.get(line).and_then(|line| depth(line)).unwrap_or(0);
    for above in plan.iter().take(line).rev() {
        let Some(at) = depth(above).filter(|at| *at < below) else { continue };
        below = at;
        if above.contains("Limit") {
            return true;
        }
        if ["Sort", "Hash", "Aggregate"].iter().any(|gathers| above.contains(gathers)) {
            return false;
        }
    }
    false
}

fn forms(statement: &'static Statement) -> impl Iterator<Item = Form> {
    let all = [Form::Plain, Form::Locking, Form::ForMany];
    all.into_iter().filter(|form| statement.sharing.for_many || *form != Form::ForMany)
}

/// What is done for a request, and a bite of a purge, must not grow with the number of rows.
#[tokio::test]
async fn i14_no_form_of_a_statement_reads_a_whole_table_on_postgresql() {
    let database = Database::create();
    let options = Options::parse(&database.url(), None).unwrap();
    migrate(&options, "", Timestamp::from_millis(1)).await.unwrap();
    let connection = Connection::open(&options).await.unwrap();
    let client = connection.client();
    client.batch_execute(FILL).await.unwrap();
    for statement in ALL {
        let (_, types) = plan(client, statement.sql).await;
        let params: Vec<Value> = types
            .iter()
            .map(|ty| match ty.as_str() {
                "bytea" => Value::Bytes(None),
                "text" => Value::Text(None),
                _ => Value::Int(None),
            })
            .collect();
        // Erasing a dev environment reads what it erases; the index of what is owed holds nothing else, and that is little.
        let excused =
            |line: &str| statement.name.starts_with("ERASE_") || line.contains("delivery_unsettled");
        for form in forms(statement) {
            let (text, _) = text(statement, form, &params);
            let (plan, _) = plan(client, &text).await;
            let whole = whole(&plan);
            assert!(
                whole.iter().all(|line| excused(line)),
                "{} {form:?}: {whole:?}\n{}",
                statement.name,
                plan.join("\n")
            );
        }
    }
}

#[tokio::test]
async fn a_plan_that_reads_everything_is_seen() {
    let database = Database::create();
    let options = Options::parse(&database.url(), None).unwrap();
    migrate(&options, "", Timestamp::from_millis(1)).await.unwrap();
    let connection = Connection::open(&options).await.unwrap();
    let client = connection.client();
    client.batch_execute(FILL).await.unwrap();
    for (sql, seen) in [
        ("SELECT id FROM challenge WHERE factor_id = $1", true),
        ("SELECT count(*) FROM challenge WHERE expires_at < $1", true),
        ("DELETE FROM challenge WHERE verified_at < $1", true),
        ("SELECT id FROM challenge ORDER BY id", true),
        ("SELECT id FROM challenge ORDER BY factor_id LIMIT $1", true),
        ("SELECT id FROM challenge ORDER BY id LIMIT $1", false),
        ("SELECT id FROM challenge WHERE id = $1", false),
        ("SELECT e.id FROM environment AS e", false),
    ] {
        let (plan, _) = plan(client, sql).await;
        assert_eq!(!whole(&plan).is_empty(), seen, "{sql}: {plan:?}");
    }
}
