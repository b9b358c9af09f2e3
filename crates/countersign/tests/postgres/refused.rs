//! Databases that are not to be served: one line that names what is wrong, exit code 1, and nothing changed.

use crate::common::{countersign, ended_soon};
use crate::{ask, configured};
use std::{fs, path::Path};
use testkit::postgres::{Database, OwnServer};

/// The line with which a node does not start.
fn line(folder: &Path, url: &str) -> String {
    let config = configured(folder, "refused", url, "");
    let (code, out, error) = ended_soon(countersign(&["serve", "--config"]).arg(&config));
    assert_eq!((code, out.as_str(), error.lines().count()), (1, "", 1), "{error}");
    error
}

fn with(url: &str, parameter: &str) -> String {
    format!("{url}{}{parameter}", if url.contains('?') { '&' } else { '?' })
}

#[test]
fn fault_21_a_server_that_is_too_old_is_named_and_left_as_it_is() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    // What it says of itself is what counts: this function goes before PostgreSQL's own of that name.
    database.sql(
        "CREATE SCHEMA old; CREATE FUNCTION old.current_setting(name text) RETURNS text LANGUAGE sql AS
        'SELECT CASE name WHEN ''server_version_num'' THEN ''140023'' WHEN ''server_version'' THEN ''14.23''
        ELSE pg_catalog.current_setting(name) END'",
    );
    let error = line(folder.path(), &with(&database.url(), "options=-csearch_path%3Dpublic,old,pg_catalog"));
    assert!(error.contains("is version 14.23; version 15 or later is needed"), "{error}");
    // Nothing of ours is there: otherwise this would not be taken.
    database.sql("CREATE TABLE migration (title TEXT)");
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let url = database.url();
    let name = url.split_once('?').map_or(url.as_str(), |(base, _)| base).rsplit_once('/').unwrap().1;
    let error = line(folder.path(), &url.replace(name, "no_such_database"));
    assert!(error.contains("/no_such_database does not take the connection"), "{error}");
    assert!(error.contains("does not exist"), "{error}");
}

#[test]
fn f60_a_certificate_that_has_expired_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut of_last_year = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (of_last_year.not_before, of_last_year.not_after) =
        (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    let certificate = of_last_year.self_signed(&key).unwrap().pem();
    let root = folder.path().join("root.pem");
    fs::write(&root, &certificate).unwrap();
    let key = key.serialize_pem();
    let server = OwnServer::start(
        &["ssl = on"],
        &[("server.crt", certificate.as_str()), ("server.key", key.as_str())],
    );
    for mode in ["verify-ca", "verify-full"] {
        let url = server.url("localhost", &format!("sslmode={mode}&sslrootcert={}", root.display()));
        let error = line(folder.path(), &url);
        assert!(error.contains("localhost") && error.contains("expired"), "{mode}: {error}");
        assert!(error.contains("renew its certificate"), "{mode}: {error}");
    }
    // Encrypted, without asking with whom.
    let config = configured(folder.path(), "require", &server.url("localhost", "sslmode=require"), "");
    ask(&config, &["environment", "create", "shop"]);
}

#[test]
fn f60_a_database_is_reached_by_tls_with_the_right_root_and_name_only() {
    let folder = tempfile::tempdir().unwrap();
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (right, wrong) = (folder.path().join("right.pem"), folder.path().join("wrong.pem"));
    fs::write(&right, signed.cert.pem()).unwrap();
    fs::write(&wrong, stranger.cert.pem()).unwrap();
    let files = [("server.crt", signed.cert.pem()), ("server.key", signed.signing_key.serialize_pem())];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let server = OwnServer::start(&["ssl = on"], &files);
    let url = |host: &str, mode: &str, root: &Path| {
        server.url(host, &format!("sslmode={mode}&sslrootcert={}", root.display()))
    };

    for (host, mode, root, part) in [
        ("localhost", "verify-full", &wrong, "sslrootcert"),
        ("localhost", "verify-ca", &wrong, "sslrootcert"),
        ("127.0.0.1", "verify-full", &right, "sslmode=verify-ca"),
    ] {
        let error = line(folder.path(), &url(host, mode, root));
        assert!(error.contains(host) && error.contains(part), "{mode} to {host}: {error}");
    }
    server.sql("CREATE TABLE migration (title TEXT); DROP TABLE migration").expect("nothing was made");

    let config = configured(folder.path(), "right", &url("localhost", "verify-full", &right), "");
    ask(&config, &["environment", "create", "shop"]);
    // By whatever name, if only the root is to be right.
    let config = configured(folder.path(), "ca", &url("127.0.0.1", "verify-ca", &right), "");
    assert_eq!(ask(&config, &["environment", "list"])[0]["name"], "shop");
    server.sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM environment) = 1; END $$").expect("one environment");
}
