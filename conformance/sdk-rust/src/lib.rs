//! The user's side of the story: an authenticator app (`oathtool`), a camera (`zbarimg`) and a text message inbox (the
//! server's dev mode); and where the server under test is.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::Command;
use std::time::SystemTime;

use data_encoding::BASE64;
use serde_json::Value;

/// The value of a variable that the runner sets.
///
/// # Panics
/// When it is not set.
pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; start this through conformance/run"))
}

/// The guide's way: no key in the code, `WORKOS_API_KEY` in the environment. This SDK reads no variables itself.
pub fn client() -> workos::Client {
    client_with_key(&env("WORKOS_API_KEY"))
}

/// A client with another key.
pub fn client_with_key(key: &str) -> workos::Client {
    workos::Client::builder().api_key(key).base_url(env("COUNTERSIGN_URL")).build()
}

fn run(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output().expect(command);
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// The code an authenticator app shows now.
pub fn totp(secret: &str) -> String {
    run("oathtool", &["--totp", "-b", secret])
}

/// A code that no step near now has.
pub fn wrong_totp(secret: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let start = run("date", &["-u", "-d", &format!("@{}", now - 120), "+%Y-%m-%d %H:%M:%S UTC"]);
    let near = run("oathtool", &["--totp", "-b", "-w", "8", "--now", &start, secret]);
    wrong_but(&near.lines().collect::<Vec<_>>())
}

/// A well-formed code other than these.
pub fn wrong_but(codes: &[&str]) -> String {
    let codes: HashSet<_> = codes.iter().copied().collect();
    (0..)
        .map(|n| format!("{n:06}"))
        .find(|code| !codes.contains(code.as_str()))
        .expect("more codes than that")
}

/// What a camera reads in the picture of a data URL.
pub fn scan(data_url: &str) -> String {
    let picture = data_url.strip_prefix("data:image/png;base64,").expect("a PNG as data URL");
    let mut file = tempfile::NamedTempFile::with_suffix(".png").expect("a temporary file");
    file.write_all(&BASE64.decode(picture.as_bytes()).expect("base64")).expect("room for a picture");
    let path = file.path().to_str().expect("a plain path");
    run("zbarimg", &["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", path])
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    let answer = request.bearer_auth(env("WORKOS_API_KEY")).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
    answer.json().await.expect("JSON")
}

/// The newest text message to a number.
pub async fn newest_message(to: &str) -> Value {
    let url = format!("{}/countersign/dev/messages", env("COUNTERSIGN_URL"));
    let list = answer(reqwest::Client::new().get(url).query(&[("to", to), ("limit", "1")])).await;
    list["data"][0].clone()
}
