//! The clocks of a node and of its database.

use crate::common::{Server, countersign, ended_soon};
use crate::{ask, configured};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::TcpListener,
    time::{Duration, Instant},
};
use testkit::postgres::Database;

/// A database whose clock is ahead by what its table says: this function goes before PostgreSQL's own of that name.
fn with_its_own_clock() -> (Database, String) {
    let database = Database::create();
    database.sql(
        "CREATE SCHEMA skewed; CREATE TABLE skewed.by (seconds INT NOT NULL); INSERT INTO skewed.by VALUES (0);
        CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
        'SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM skewed.by'",
    );
    let url = database.url();
    let mark = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{mark}options=-csearch_path%3Dpublic,skewed,pg_catalog");
    (database, url)
}

fn set(database: &Database, seconds: i32) {
    database.sql(&format!("UPDATE skewed.by SET seconds = {seconds}"));
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} does not come about");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn fault_12_a_node_whose_clock_is_apart_from_the_databases_refuses_until_they_agree() {
    let (folder, (database, url)) = (tempfile::tempdir().unwrap(), with_its_own_clock());
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = free.local_addr().unwrap();
    drop(free);
    let config = configured(folder.path(), "one", &url, &format!("metrics_listen = '{metrics}'"));
    ask(&config, &["environment", "create", "shop"]);
    let made = ask(&config, &["api-key", "create"]);
    let key = made["key"].as_str().unwrap();

    for (seconds, way) in [(15, "behind"), (-15, "ahead of")] {
        set(&database, seconds);
        let (code, out, error) = ended_soon(countersign(&["serve", "--config"]).arg(&config));
        assert_eq!((code, out.as_str(), error.lines().count()), (1, "", 1), "{error}");
        assert!(error.contains(&format!("s {way} the database's")) && error.contains("NTP"), "{error}");
    }

    // Within the bound.
    set(&database, 8);
    let mut server = Server::serve(&config);
    let address = server.address;
    let (factor, _) = server.enroll(key);
    let challenge = server.challenge(key, &factor);
    let verify = format!("/auth/challenges/{challenge}/verify");
    assert_eq!(server.call("GET", "/readyz", "", "").0, 200);
    set(&database, -40);
    until("a refusal", || server.call("GET", "/readyz", "", "").0 == 503);
    assert_eq!(server.call("POST", &verify, key, r#"{"code":"000000"}"#).0, 503);
    assert_eq!(server.call("POST", &format!("/auth/factors/{factor}/challenge"), key, "").0, 503);
    assert_eq!(server.call("GET", "/healthz", "", "").0, 200);
    assert!(server.said().contains("the clock and the database's are apart"), "{}", server.said());
    server.address = metrics;
    let page = server.call_for_text("GET", "/metrics", "", "").1;
    let skew = page.lines().find_map(|l| l.strip_prefix("countersign_clock_skew_seconds ")).unwrap();
    assert!((-40.5..-39.0).contains(&skew.parse::<f64>().unwrap()), "{skew}");
    server.address = address;
    // Each job that comes round meanwhile fails, and says so once.
    std::thread::sleep(Duration::from_secs(4));
    let (said, mut jobs) = (server.said(), BTreeMap::new());
    for line in said.lines().filter(|line| line.contains("housekeeping fails")) {
        *jobs.entry(serde_json::from_str::<Value>(line).unwrap()["job"].to_string()).or_insert(0) += 1;
    }
    assert!(jobs.contains_key("\"the key ring\"") && jobs.values().all(|lines| *lines == 1), "{said}");
    set(&database, 0);
    until("an agreement", || server.call("GET", "/readyz", "", "").0 == 200);
    assert!(!server.verify(key, &challenge, "000000"), "the refused one has cost no attempt");
}
