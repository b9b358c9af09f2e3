//! How SQLite goes about the statements.

use crate::laws::{catalogue::TENANT, common::House};
use crate::store::statements::ALL;

/// What is done for a request must not grow with the number of rows: no table of tenant data is read from end to end.
#[tokio::test]
async fn i14_no_statement_reads_a_whole_table_of_tenant_data() {
    let house = House::new().await;
    let direct = house.bench.direct();
    // Erasing a dev environment reads what it erases. The others stop at their LIMIT.
    let allowed = |name: &str, sql: &str| name.starts_with("ERASE_") || sql.contains("LIMIT");
    for statement in ALL {
        let mut plan =
            direct.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql.replace('$', "?"))).unwrap();
        let mut rows = plan.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get(3).unwrap();
            // The index of what is owed holds nothing else, and that is little.
            let whole = step.starts_with("SCAN")
                && TENANT.iter().any(|t| step.contains(t))
                && !step.contains("INDEX delivery_unsettled");
            assert!(!whole || allowed(statement.name, statement.sql), "{}: {step}", statement.name);
        }
    }
}
