//! `countersign dev`: a faithful test double on this machine, with nothing real at stake.

use crate::{
    Usage,
    dev_routes::{self, Asked, Helper, Outcome},
    open, run,
};
use anyhow::Context as _;
use app::{App, ClockGuard, DevClock, Options};
use clap::Args;
use delivery::{Mailbox, ScriptedOutcome, Worker};
use domain::{
    environment::{Environment, Mode, Permissions},
    event::Actor,
    refusal::FieldError,
    time::{Clock as _, Timestamp},
};
use edge::{Listener, Shutdown};
use secrets::{ApiKeyText, KeyMode, SystemEntropy};
use serde::Serialize;
use serde_json::Value;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

/// The key that the official emulator takes.
const EMULATOR_KEY: &str = "sk_test_default";
/// The environment of dev mode.
const NAME: &str = "dev";

#[derive(Args)]
pub(crate) struct Dev {
    /// Where to listen; loopback only, unless --allow-remote says otherwise.
    #[arg(long, default_value = "127.0.0.1:4100")]
    listen: SocketAddr,
    /// The data folder, kept between runs.
    #[arg(long, default_value_os_t = open::dev_folder())]
    data: PathBuf,
    /// An API key of your own to accept, `sk_test_…`.
    #[arg(long)]
    api_key: Option<String>,
    /// A setting of the dev environment, NAME=VALUE; may be given several times. `settings list` shows them.
    #[arg(long, value_name = "NAME=VALUE")]
    setting: Vec<String>,
    /// Listen on an address that other machines reach. Codes are readable there by whoever has the key.
    #[arg(long)]
    allow_remote: bool,
}

/// A dev server, ready to be served.
pub(crate) struct DevServer {
    pub(crate) opened: open::Opened,
    pub(crate) router: axum::Router,
    pub(crate) worker: Worker,
    pub(crate) listener: Listener,
    pub(crate) shutdown: Shutdown,
    pub(crate) key: String,
    pub(crate) client_id: String,
}

impl Dev {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        if !self.listen.ip().is_loopback() && !self.allow_remote {
            let why = format!(
                "--listen {}: dev mode listens on loopback; add --allow-remote to go beyond",
                self.listen
            );
            return Err(Usage(why).into());
        }
        run::logs(false, "warn");
        let server = start(self.listen, &self.data, self.api_key.as_deref()).await?;
        for setting in &self.setting {
            let app = &server.opened.app;
            let (name, value) = setting
                .split_once('=')
                .ok_or_else(|| Usage(format!("--setting {setting}: write NAME=VALUE")))?;
            let environment = app.environment(NAME)?;
            let changed =
                app.change_setting(Actor::Operator("dev".into()), &environment, name, Some(value)).await;
            changed.map_err(|e| Usage(format!("--setting: {e}")))?;
        }
        say(&server);
        let DevServer { opened, router, worker, listener, shutdown, .. } = server;
        run::serve(listener, router, None, opened, worker, shutdown).await
    }
}

/// The key kept in the data folder, made at the first start: a test double may keep it.
fn kept_key(data: &std::path::Path) -> anyhow::Result<ApiKeyText> {
    let path = data.join("api-key");
    if let Ok(text) = std::fs::read_to_string(&path) {
        let key = ApiKeyText::parse_lenient(text.trim());
        return key
            .with_context(|| format!("{} holds no API key; remove it to get a new one", path.display()));
    }
    let key = ApiKeyText::generate(&SystemEntropy, KeyMode::Test)?;
    open::write_private(&path, key.reveal().as_bytes())?;
    Ok(key)
}

/// Starts one, without serving yet.
pub(crate) async fn start(
    listen: SocketAddr,
    data: &std::path::Path,
    own_key: Option<&str>,
) -> anyhow::Result<DevServer> {
    let clock = Arc::new(DevClock::default());
    let master = open::dev_master_key(data)?;
    let guard = ClockGuard::movable(Box::new(Arc::clone(&clock)));
    let opened = open::open(data, &master, guard, Options { lenient_keys: true }).await?;
    let app = opened.app.clone();
    let operator = Actor::Operator("dev".into());
    let environment = match app.environment(NAME) {
        Ok(environment) => environment,
        Err(_) => app.create_environment(operator.clone(), NAME, Mode::Test).await?,
    };
    let key = match own_key {
        None => kept_key(data)?,
        Some(text) => ApiKeyText::parse_lenient(text)
            .ok_or_else(|| Usage("--api-key must be sk_test_ and up to 120 visible characters".into()))?,
    };
    accept(&app, &environment, &key).await?;
    if let Some(emulator) = ApiKeyText::parse_lenient(EMULATOR_KEY) {
        accept(&app, &environment, &emulator).await?;
    }
    let mailbox = Arc::new(Mailbox::default());
    let worker = Worker::new(app.clone(), Arc::clone(&mailbox) as Arc<dyn delivery::Sender>);
    app.dispatch_through(Arc::new(worker.clone()));
    let listener =
        Listener::bind(listen, Listener::BACKLOG).with_context(|| format!("cannot listen on {listen}"))?;
    let shutdown = Shutdown::new();
    let page = page(listener.address(), key.reveal(), &environment.client_id);
    let router = api::router(app.clone(), api::Hooks::default());
    let router = dev_routes::add(router, &app, helpers(&app, &clock, &mailbox));
    let router = run::health(router, app, shutdown.clone())
        .route("/", axum::routing::get(move || async move { axum::response::Html(page) }));
    let (key, client_id) = (key.reveal().to_owned(), environment.client_id.clone());
    Ok(DevServer { opened, router, worker, listener, shutdown, key, client_id })
}

async fn accept(app: &App, environment: &Environment, key: &ApiKeyText) -> anyhow::Result<()> {
    let operator = Actor::Operator("dev".into());
    app.add_api_key(operator, environment, "dev", key, Permissions::FULL, None).await?;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "this is the command's output")]
fn say(server: &DevServer) {
    let (base, key) = (format!("http://{}", server.listener.address()), &server.key);
    let port = server.listener.address().port();
    let host = server.listener.address().ip();
    println!("Countersign, dev mode: a test double for WorkOS MFA\n");
    println!(
        "  base URL   {base}\n  API key    {key}   (sk_test_default works too)\n  client id  {}\n",
        server.client_id
    );
    println!("curl    {}", curl(&base, key));
    println!("node    {}", node(&host.to_string(), port, key));
    println!("python  {}", python(&base, key, &server.client_id));
}

fn curl(base: &str, key: &str) -> String {
    format!(
        "curl -s {base}/auth/factors/enroll -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{\"type\":\"totp\",\"totp_issuer\":\"Acme\",\"totp_user\":\"kim@example.org\"}}'"
    )
}

fn node(host: &str, port: u16, key: &str) -> String {
    format!(
        "node -e \"const {{WorkOS}}=require('@workos-inc/node');new WorkOS('{key}',{{apiHostname:'{host}',port:{port},https:false}}).multiFactorAuth.enrollFactor({{type:'totp',issuer:'Acme',user:'kim@example.org'}}).then(f=>console.log(f.totp.uri))\""
    )
}

fn python(base: &str, key: &str, client: &str) -> String {
    format!(
        "python3 -c \"from workos import WorkOSClient;print(WorkOSClient(api_key='{key}',client_id='{client}',base_url='{base}').multi_factor_auth.enroll_factor(type='totp',totp_issuer='Acme',totp_user='kim@example.org').totp.uri)\""
    )
}

fn page(address: SocketAddr, key: &str, client: &str) -> String {
    let base = format!("http://{address}");
    let escape = |text: String| text.replace('&', "&amp;").replace('<', "&lt;");
    let block = |title: &str, text: String| format!("<h2>{title}</h2><pre tabindex=0>{}</pre>", escape(text));
    let host = address.ip().to_string();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>\
         <title>Countersign, dev mode</title><style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 system-ui;max-width:48rem;\
         margin:2rem auto;padding:0 1rem}}pre{{overflow:auto;padding:1rem;border:1px solid;border-radius:.4rem;white-space:pre-wrap;\
         overflow-wrap:anywhere}}</style><main><h1>Countersign, dev mode</h1><p>A test double for WorkOS MFA. Nothing here is real.</p>\
         {}{}{}{}</main></html>",
        block("Where", format!("base URL   {base}\nAPI key    {key}\nclient id  {client}")),
        block("curl", curl(&base, key)),
        block("Node", node(&host, address.port(), key)),
        block("Python", python(&base, key, client)),
    )
}

/// A helper from an async function.
fn helper<F>(run: impl Fn(Asked) -> F + Send + Sync + 'static) -> Helper
where
    F: Future<Output = Outcome> + Send + 'static,
{
    Arc::new(move |asked| Box::pin(run(asked)))
}

/// Keys are written in the order of W15.
#[derive(Serialize)]
struct ClockIs {
    now: String,
    frozen: bool,
}

#[derive(Serialize)]
struct List {
    object: &'static str,
    data: Vec<MessageIs>,
}

#[derive(Serialize)]
struct MessageIs {
    to: String,
    channel: &'static str,
    body: String,
    code: String,
    authentication_challenge_id: String,
    created_at: String,
}

fn answered(body: &impl Serialize) -> Outcome {
    let raw = serde_json::value::to_raw_value(body);
    raw.map(Some).map_err(|_| FieldError::new("answer", "cannot be written"))
}

fn clock_is(clock: &DevClock) -> Outcome {
    answered(&ClockIs { now: clock.now().to_string(), frozen: clock.is_frozen() })
}

fn helpers(
    app: &App,
    clock: &Arc<DevClock>,
    mailbox: &Arc<Mailbox>,
) -> Vec<(&'static str, &'static str, Helper)> {
    let (read, moved) = (Arc::clone(clock), Arc::clone(clock));
    let (listed, failing, cleared, app) =
        (Arc::clone(mailbox), Arc::clone(mailbox), Arc::clone(mailbox), app.clone());
    vec![
        (
            "GET",
            "/countersign/dev/messages",
            helper(move |asked| std::future::ready(messages(&listed, &asked))),
        ),
        ("GET", "/countersign/dev/clock", helper(move |_| std::future::ready(clock_is(&read)))),
        (
            "POST",
            "/countersign/dev/clock",
            helper(move |asked| std::future::ready(move_clock(&moved, &asked))),
        ),
        (
            "POST",
            "/countersign/dev/failures",
            helper(move |asked| std::future::ready(fail_next(&failing, &asked))),
        ),
        (
            "POST",
            "/countersign/dev/reset",
            helper(move |asked| {
                let (app, mailbox) = (app.clone(), Arc::clone(&cleared));
                async move {
                    let actor = Actor::ApiKey(asked.caller.key().id);
                    let erased = app.erase(asked.caller.scope(), actor).await;
                    erased.map_err(|_| FieldError::new("reset", "did not come through; try again"))?;
                    mailbox.clear(asked.caller.environment().id);
                    Ok(None)
                }
            }),
        ),
    ]
}

fn messages(mailbox: &Mailbox, asked: &Asked) -> Outcome {
    let pairs = asked.query.split('&').filter_map(|pair| pair.split_once('='));
    let (mut to, mut limit) = (None, 100);
    for (name, value) in pairs {
        match name {
            "to" => to = Some(value.replace("%2B", "+").replace("%2b", "+").replace(' ', "+")),
            "limit" => {
                let wrong = || FieldError::new("limit", "must be an integer from 1 to 1000");
                limit = value.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(wrong)?;
            }
            _ => {}
        }
    }
    let messages = mailbox.messages(asked.caller.environment().id, to.as_deref(), limit);
    let data = messages.into_iter().map(|m| MessageIs {
        to: m.to,
        channel: m.channel.word(),
        body: m.body,
        code: m.code,
        authentication_challenge_id: m.challenge.to_string(),
        created_at: m.created_at.to_string(),
    });
    answered(&List { object: "list", data: data.collect() })
}

fn move_clock(clock: &DevClock, asked: &Asked) -> Outcome {
    let body = &asked.body;
    if !["frozen", "set", "advance_seconds"].iter().any(|known| body.contains_key(*known)) {
        return Err(FieldError::new("body", "must have advance_seconds, set or frozen"));
    }
    if let Some(value) = body.get("frozen") {
        clock.freeze(value.as_bool().ok_or_else(|| FieldError::new("frozen", "must be a boolean"))?);
    }
    if let Some(value) = body.get("set") {
        let at = value.as_str().and_then(Timestamp::parse);
        clock.set(at.ok_or_else(|| FieldError::new("set", "must be a time"))?);
    }
    if let Some(value) = body.get("advance_seconds") {
        let seconds = value.as_f64().filter(|n| n.abs() < 4e9);
        let seconds = seconds.ok_or_else(|| FieldError::new("advance_seconds", "must be a number"))?;
        #[allow(clippy::cast_possible_truncation, reason = "bounded just above")]
        clock.advance((seconds * 1000.0).round() as i64);
    }
    clock_is(clock)
}

fn fail_next(mailbox: &Mailbox, asked: &Asked) -> Outcome {
    let sends = asked.body.get("sends").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let sends = sends.ok_or_else(|| FieldError::new("sends", "must be a whole number"))?;
    let outcome = asked.body.get("outcome").and_then(Value::as_str).and_then(ScriptedOutcome::parse);
    let outcome =
        outcome.ok_or_else(|| FieldError::new("outcome", "must be refused, rejected_number or timeout"))?;
    mailbox.fail_next(asked.caller.environment().id, sends, outcome);
    Ok(None)
}
