//! `countersign serve` on PostgreSQL: two nodes, their operator, and what is wrong with a database in a line.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod clocks;
#[path = "../common/mod.rs"]
mod common;
mod ready;
mod refused;
mod restored;
mod upgraded;

use common::{Server, code_at, countersign, ended};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use testkit::postgres::Database;

/// The configuration of a node in a folder, with the master key that all nodes share.
fn configured(folder: &Path, node: &str, database: &str, more: &str) -> PathBuf {
    let key = folder.join("master.key");
    if !key.exists() {
        assert_eq!(ended(countersign(&["keys", "generate"]).arg(&key)).0, 0);
    }
    let (config, data) = (folder.join(format!("{node}.toml")), folder.join(node));
    let text = format!(
        "listen = '127.0.0.1:0'\ndata = '{}'\nmaster_key_file = '{}'\ndatabase = '{database}'\n{more}",
        data.display(),
        key.display()
    );
    fs::write(&config, text).unwrap();
    config
}

fn ask(config: &Path, args: &[&str]) -> Value {
    let (code, out, error) = ended(countersign(args).arg("--json").arg("--config").arg(config));
    assert_eq!(code, 0, "{args:?}: {error}");
    serde_json::from_str(&out).unwrap()
}

/// The code that a phone shows now, long before its step ends.
fn code_now(secret: &str) -> String {
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    while now().as_secs() % 30 > 22 {
        std::thread::sleep(Duration::from_millis(200));
    }
    let now = domain::time::Timestamp::from_millis(i64::try_from(now().as_millis()).unwrap());
    code_at(secret, &now.to_string())
}

#[test]
fn two_nodes_share_a_database_and_neither_believes_what_the_other_has_used_up() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = free.local_addr().unwrap();
    drop(free);
    let one = configured(folder.path(), "one", &database.url(), &format!("metrics_listen = '{metrics}'"));
    let two = configured(folder.path(), "two", &database.url(), "");
    // Before the first start: on the database itself, where there is no key ring yet.
    ask(&one, &["environment", "create", "shop", "--live"]);
    let mut nodes = [Server::serve(&one), Server::serve(&two)];
    let made = ask(&two, &["api-key", "create"]);
    let key = made["key"].as_str().unwrap();
    std::thread::sleep(Duration::from_millis(1_000));

    let (factor, secret) = nodes[0].enroll(key);
    let challenges = [nodes[0].challenge(key, &factor), nodes[1].challenge(key, &factor)];
    let code = code_now(&secret);
    assert!(nodes[1].verify(key, &challenges[0], &code));
    assert!(!nodes[0].verify(key, &challenges[1], &code), "a used step is used everywhere");
    assert_eq!(ask(&one, &["factor", "show", &factor])["wrong_in_a_row"], 1);

    // Revoked beside one node, refused by the other within a second.
    ask(&one, &["api-key", "revoke", made["id"].as_str().unwrap()]);
    assert_eq!(nodes[0].call("GET", &format!("/auth/factors/{factor}"), key, "").0, 401);
    let revoked = Instant::now();
    while nodes[1].call("GET", &format!("/auth/factors/{factor}"), key, "").0 != 401 {
        assert!(revoked.elapsed() < Duration::from_secs(5), "still accepted");
        std::thread::sleep(Duration::from_millis(50));
    }

    let verified = ask(&two, &["events", "verify"]);
    assert!(verified.to_string().contains("true") || verified["broken_at"].is_null(), "{verified}");
    let backup = folder.path().join("copy.db");
    let (code, _, error) = ended(countersign(&["backup"]).arg(&backup).arg("--config").arg(&two));
    assert!(code == 1 && error.contains("pg_dump") && !backup.exists(), "{error}");
    let (code, _, error) = ended(countersign(&["restore"]).arg(&backup).arg("--config").arg(&two));
    assert!(code == 1 && error.contains("replay-floor"), "{error}");
    for node in ["one", "two"] {
        assert!(!folder.path().join(node).join("countersign.db").exists());
    }
    let address = std::mem::replace(&mut nodes[0].address, metrics);
    let page = nodes[0].call_for_text("GET", "/metrics", "", "").1;
    for part in
        ["store_pool_in_use ", "store_pool_wait_micros_total ", "store_commit_duration_seconds_count "]
    {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    nodes[0].address = address;
    for node in &mut nodes {
        node.signal(Signal::TERM);
        assert_eq!(node.end(), Some(0));
    }
    // And again without a server.
    assert_eq!(ask(&two, &["environment", "list"])[0]["name"], "shop");
    let shown = ask(&two, &["migrate"]);
    assert!(shown["database"].as_str().unwrap().contains("/test_"), "{shown}");
}

/// How long the other of two nodes goes on taking a key after it is revoked beside the first; the longest of several times.
fn longest_after_a_revocation(nodes: &[Server; 2], config: &Path, times: u32) -> Duration {
    let mut longest = Duration::ZERO;
    for n in 0..times {
        let made = ask(config, &["api-key", "create"]);
        let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
        let status = |node: &Server| node.call("GET", "/auth/factors/auth_factor_none", key, "").0;
        while status(&nodes[1]) == 401 {
            std::thread::sleep(Duration::from_millis(5));
        }
        // At another moment between two looks each time.
        std::thread::sleep(Duration::from_millis(u64::from(n) * 130 % 800));
        ask(config, &["api-key", "revoke", id]);
        let revoked = Instant::now();
        while status(&nodes[1]) != 401 {
            assert!(revoked.elapsed() < Duration::from_secs(5), "still accepted");
            std::thread::sleep(Duration::from_millis(5));
        }
        longest = longest.max(revoked.elapsed());
    }
    longest
}

/// A way to the database that closes every connection on which something wants to listen.
fn deaf_proxy(url: &str) -> String {
    let (folder, database) = url.split_once('@').unwrap().1.split_once('/').unwrap();
    let socket = format!("{}/.s.PGSQL.5432", folder.replace("%2F", "/"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxied =
        format!("postgres://countersign@{}/{database}?sslmode=disable", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = UnixStream::connect(&socket).unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
            std::thread::spawn(move || {
                let (mut client, mut server, mut buffer) = (client, server, [0; 16_384]);
                while let Ok(n @ 1..) = client.read(&mut buffer) {
                    if buffer[..n].windows(7).any(|w| w == b"LISTEN ")
                        || server.write_all(&buffer[..n]).is_err()
                    {
                        break;
                    }
                }
                drop((client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both)));
            });
        }
    });
    proxied
}

#[test]
fn a_revoked_key_is_refused_by_the_other_node_at_once_and_within_a_second_if_nothing_is_announced() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let configs = ["one", "two"].map(|node| configured(folder.path(), node, &database.url(), ""));
    ask(&configs[0], &["environment", "create", "shop"]);
    let nodes = [Server::serve(&configs[0]), Server::serve(&configs[1])];
    let announced = longest_after_a_revocation(&nodes, &configs[0], 8);
    assert!(announced < Duration::from_millis(300), "{announced:?}");

    drop(nodes);
    // Whoever wants to listen is cut off.
    let deaf = configured(folder.path(), "two", &deaf_proxy(&database.url()), "");
    let nodes = [Server::serve(&configs[0]), Server::serve(&deaf)];
    let looked_for = longest_after_a_revocation(&nodes, &configs[0], 6);
    assert!(looked_for < Duration::from_secs(1), "{looked_for:?}");
}

#[test]
fn dev_mode_takes_a_database_too() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let url = database.url();
    let server = Server::dev(folder.path(), &["--database", &url]);
    let (factor, _) = server.enroll("sk_test_default");
    assert!(!folder.path().join("countersign.db").exists());
    drop(server);
    let server = Server::dev(folder.path(), &["--database", &url]);
    assert_eq!(server.call("GET", &format!("/auth/factors/{factor}"), "sk_test_default", "").0, 200);
}

#[test]
fn what_is_wrong_with_a_database_is_one_line_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let pass = folder.path().join("pass");
    fs::write(&pass, "*:*:*:*:geheim\n").unwrap();
    fs::set_permissions(&pass, fs::Permissions::from_mode(0o644)).unwrap();
    let open = format!("postgres://ada@db/mfa?passfile={}", pass.display());
    for (url, code, part) in [
        ("mysql://ada:geheim@db/mfa", 2, "postgres://"),
        ("postgres://ada:geheim@db/mfa?sslmode=maybe", 2, "verify-full"),
        (open.as_str(), 2, "chmod 600"),
        ("postgres://ada:geheim@127.0.0.1:1/mfa", 1, "127.0.0.1:1/mfa"),
    ] {
        let config = configured(folder.path(), "node", url, "");
        let (ended_with, out, error) = ended(countersign(&["serve", "--config"]).arg(&config));
        let said = format!("{out}{error}");
        assert_eq!(ended_with, code, "{url}: {said}");
        assert!(error.contains(part) && !said.contains("geheim"), "{url}: {said}");
        assert_eq!(error.trim().lines().count(), 1, "{error}");
    }
}

#[test]
fn a_key_that_one_node_rotates_opens_on_the_other_at_every_moment() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let one = configured(folder.path(), "one", &database.url(), "");
    let two = configured(folder.path(), "two", &database.url(), "");
    ask(&one, &["environment", "create", "shop", "--live"]);
    let key = ask(&one, &["api-key", "create"]);
    let key = key["key"].as_str().unwrap();
    let nodes = [Server::serve(&one), Server::serve(&two)];
    let opens_on_both = || {
        for (here, there) in [(0, 1), (1, 0)] {
            let (factor, secret) = nodes[here].enroll(key);
            let challenge = nodes[there].challenge(key, &factor);
            assert!(nodes[there].verify(key, &challenge, &code_now(&secret)));
        }
    };
    opens_on_both();
    let rotated = std::thread::scope(|scope| {
        let rotation = scope.spawn(|| ask(&one, &["keys", "rotate"]));
        while !rotation.is_finished() {
            opens_on_both();
        }
        rotation.join().unwrap()
    });
    assert!(rotated["rows_resealed"].as_u64().unwrap() > 0, "{rotated}");
    opens_on_both();
    let active = ask(&two, &["keys", "status"]);
    let active = active.as_array().unwrap().iter().find(|k| k["state"] == "active").unwrap().clone();
    assert_eq!(active["key"], rotated["key"], "the other node seals with it too");
}
