use super::*;
use std::{fs, os::unix::fs::PermissionsExt as _};
use tokio_postgres::config::TargetSessionAttrs;

fn parse(url: &str) -> Result<Options, String> {
    Options::parse(url, None).map_err(|e| e.to_string())
}

#[test]
fn several_hosts_and_what_the_driver_does_not_know_are_read() {
    let options = parse(
        "postgres://ada@db1:5433,db2/mfa?target_session_attrs=read-write&sslmode=verify-full&pool_size=40&batch=1",
    )
    .unwrap();
    assert_eq!(options.name(), "db1:5433,db2:5432/mfa");
    assert_eq!(options.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    assert_eq!((options.config.get_ssl_mode(), options.pool_size, options.batch), (SslMode::Require, 40, 1));
    assert_eq!(options.config.get_connect_timeout(), Some(&CONNECT_TIMEOUT));
}

#[test]
fn what_is_wrong_is_named_and_no_password_is_shown() {
    for (url, part) in [
        ("mysql://ada:geheim@db/x", "postgres://"),
        ("postgres://ada:geheim@db/x?sslmode=verify", "verify-full"),
        ("postgres://ada:geheim@db/x?pool_size=1", "2 to 1000"),
        ("postgres://ada:geheim@db/x?batch=0", "1 to 128"),
        ("postgres://ada:geheim@db/x?nonsense=1", "nonsense"),
        ("postgres://ada:geheim@db:port/x", "port"),
        ("postgres:///x?user=geheim", "names no host"),
        ("postgres://db/x?sslmode=%zz", "%"),
        ("postgres://db/x?sslmode=verify-ca&sslrootcert=/nowhere/at/all", "/nowhere/at/all"),
        ("postgres://db/x?passfile=/nowhere/at/all", "/nowhere/at/all"),
    ] {
        let line = parse(url).unwrap_err();
        assert!(line.contains(part) && !line.contains("geheim") && !line.contains('\n'), "{url}: {line}");
    }
    let shown = format!("{:?}", parse("postgres://ada:geheim@db/x").unwrap());
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn a_password_comes_from_the_file_that_only_its_owner_reads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pgpass");
    let text = "# passwords\nother:*:*:*:wrong\ndb2:5432:mfa:ada:with\\:colon:s\n*:*:*:eve:hers\n";
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let open = Options::parse("postgres://ada@db1,db2/mfa", Some(&file)).unwrap_err().to_string();
    assert!(open.contains("chmod 600"), "{open}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let password = |url: &str| {
        let options = Options::parse(url, Some(&file)).unwrap();
        options.config.get_password().map(|p| String::from_utf8(p.to_vec()).unwrap())
    };
    assert_eq!(password("postgres://ada@db1,db2/mfa").as_deref(), Some("with:colon:s"));
    assert_eq!(password("postgres://eve@anywhere/x").as_deref(), Some("hers"));
    assert_eq!(password("postgres://bob@db2/mfa"), None);
    assert_eq!(password("postgres://ada:own@db2/mfa").as_deref(), Some("own"));
}
