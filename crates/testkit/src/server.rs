//! A whole server in this process: the real routes over a real store in a folder of its own.

use crate::{Answered, Phone};
use api::Hooks;
use app::{App, ClockGuard, DevClock, Options};
use axum::{
    Router,
    body::Body,
    http::{Request, header::AUTHORIZATION},
};
use domain::{
    environment::{Environment, Mode, Permissions},
    event::Actor,
    time::Clock as _,
};
use edge::{Admission, Limits};
use http_body_util::BodyExt as _;
use secrets::{ApiKeyText, MasterKey, SystemEntropy, TotpSeed, hotp};
use std::sync::Arc;
use store::{
    Store,
    sqlite::{DataFolder, Sqlite},
};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// The key of the first environment, which may do everything.
pub const KEY: &str = "sk_test_default";

/// The server. Its clock stands still until it is moved.
pub struct TestServer {
    router: Router,
    app: App,
    clock: Arc<DevClock>,
    phone: Arc<Phone>,
    _folder: TempDir,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.phone.disconnect();
    }
}

fn operator() -> Actor {
    Actor::Operator("test".into())
}

impl TestServer {
    /// Starts one with an environment `test`, whose key is [`KEY`].
    pub async fn start() -> Self {
        Self::start_with(Hooks::default()).await
    }

    /// Starts one that is watched.
    pub async fn start_with(hooks: Hooks) -> Self {
        Self::start_within(hooks, &Limits::default()).await
    }

    /// Starts one with these limits on what it takes on at once.
    pub async fn start_within(hooks: Hooks, limits: &Limits) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::lock(folder.path()).expect("the folder is ours");
        let clock = Arc::new(DevClock::default());
        clock.freeze(true);
        let on_fatal = Box::new(|why: &str| panic!("the writer gave up: {why}"));
        let engine = Sqlite::open(&data, clock.now(), on_fatal).expect("the store opens");
        let master = MasterKey::generate(&SystemEntropy).expect("randomness");
        let guard = ClockGuard::movable(Box::new(Arc::clone(&clock)));
        let options = Options { lenient_keys: true };
        let app = App::start(Store::Sqlite(engine), &master, guard, Arc::new(SystemEntropy), options)
            .await
            .expect("the application starts");
        let phone = Arc::new(Phone::new(Arc::<DevClock>::clone(&clock)));
        phone.connect(&app);
        app.dispatch_through(Arc::<Phone>::clone(&phone));
        let router = api::router(app.clone(), hooks, Admission::new(limits));
        let server = Self { router, app, clock, phone, _folder: folder };
        server.environment("test", KEY).await;
        server
    }

    /// Adds an environment with one key, which must begin with `sk_test_`.
    pub async fn environment(&self, name: &str, key: &str) {
        let environment = self.app.create_environment(operator(), name, Mode::Test).await;
        let environment = environment.expect("a new environment");
        self.add_key(&environment, key, "all").await;
    }

    /// Adds a key with these permissions to the first environment.
    pub async fn key(&self, key: &str, permissions: &str) {
        let environment = self.app.environment("test").expect("made at start");
        self.add_key(&environment, key, permissions).await;
    }

    async fn add_key(&self, environment: &Environment, key: &str, permissions: &str) {
        let text = ApiKeyText::parse_lenient(key).expect("a key of the test double");
        let permissions = Permissions::parse(permissions).expect("permissions");
        let added = self.app.add_api_key(operator(), environment, "key", &text, permissions, None).await;
        added.expect("added").expect("a new key");
    }

    /// Changes a setting of the first environment.
    pub async fn set(&self, name: &str, value: &str) {
        let environment = self.app.environment("test").expect("made at start");
        self.app.change_setting(operator(), &environment, name, Some(value)).await.expect("a setting");
    }

    /// The use cases below the wire.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The clock of everything here.
    pub fn clock(&self) -> &DevClock {
        &self.clock
    }

    /// The phone that every message goes to.
    pub fn phone(&self) -> &Phone {
        &self.phone
    }

    /// Calls with [`KEY`] and a JSON body, or none if it is empty.
    pub async fn call(&self, method: &str, path: &str, body: impl Into<String>) -> Answered {
        self.call_as(Some(KEY), method, path, body).await
    }

    /// Calls with a key or without one.
    pub async fn call_as(
        &self,
        key: Option<&str>,
        method: &str,
        path: &str,
        body: impl Into<String>,
    ) -> Answered {
        let mut headers = Vec::new();
        let bearer = key.map(|key| format!("Bearer {key}"));
        headers.extend(bearer.as_deref().map(|bearer| (AUTHORIZATION.as_str(), bearer)));
        self.send(method, path, &headers, body.into().into_bytes()).await
    }

    /// Calls with these headers and no others.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("always an answer");
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answered { status: head.status.as_u16(), headers: head.headers, text, json }
    }

    /// Posts with [`KEY`].
    pub async fn post(&self, path: &str, body: impl Into<String>) -> Answered {
        self.call("POST", path, body).await
    }

    /// Enrolls a factor and answers it.
    pub async fn enroll(&self, body: &str) -> Answered {
        let answer = self.post("/auth/factors/enroll", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer
    }

    /// Opens a challenge of a factor and answers it.
    pub async fn challenge(&self, factor: &str) -> Answered {
        let answer = self.post(&format!("/auth/factors/{factor}/challenge"), "").await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer
    }

    /// Answers a challenge with a code.
    pub async fn verify(&self, challenge: &str, code: &str) -> Answered {
        let body = serde_json::json!({ "code": code }).to_string();
        self.post(&format!("/auth/challenges/{challenge}/verify"), body).await
    }

    /// The code that an authenticator with this secret shows now.
    pub fn totp(&self, secret: &str) -> String {
        code_now(secret, self.clock.now().step())
    }
}

/// The code that an authenticator with this Base32 secret shows in a time step.
pub fn code_now(secret: &str, step: u64) -> String {
    let seed = TotpSeed::import_base32(secret).expect("Base32");
    hotp(&seed, step).reveal().to_owned()
}
