//! Environments, their API keys and settings.

use super::{Operator, Outcome, line, request::WantedKey, shown};
use domain::{
    environment::{Environment, Mode, Permissions},
    event::Actor,
    settings::catalogue,
    time::Timestamp,
};
use serde_json::{Value, json};

/// The end of a key's life: a span from now such as `90d`, `12h` or `30m`, or a time.
fn end_of_life(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let span = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            _ => return None,
        };
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let seconds = number.parse::<u32>().ok().filter(|_| is_number)?.checked_mul(seconds)?;
        Some(now.plus_seconds(seconds))
    };
    span().or_else(|| Timestamp::parse(text)).ok_or_else(|| {
        "--expires must be a span such as 90d, 12h or 30m, or a time such as 2027-01-31T00:00:00Z".into()
    })
}

fn setting(environment: &Environment, name: &str) -> Result<Value, String> {
    let spec = catalogue().iter().find(|spec| spec.name == name);
    let (Some(spec), Some(value)) = (spec, environment.settings.get(name)) else {
        // Setting it says best what is wrong with the name.
        let unknown = environment.settings.clone().set(name, "").map_err(line);
        return Err(unknown.err().unwrap_or_else(|| format!("there is no setting `{name}`")));
    };
    Ok(json!({
        "name": spec.name,
        "value": value,
        "default": spec.default_text,
        "allowed": spec.range_text,
        "meaning": spec.meaning,
    }))
}

impl Operator {
    pub(super) fn list_environments(&self) -> Outcome {
        Ok(self.app.environments().iter().map(|e| shown::environment(e)).collect())
    }

    pub(super) async fn create_environment(&self, actor: Actor, name: &str, live: bool) -> Outcome {
        let mode = if live { Mode::Live } else { Mode::Test };
        let made = self.app.create_environment(actor, name, mode).await.map_err(line)?;
        Ok(shown::environment(&made))
    }

    pub(super) fn list_api_keys(&self, environment: Option<&str>) -> Outcome {
        let now = self.app.now().map_err(line)?;
        let all = self.app.environments();
        let wanted = match environment {
            Some(named) => vec![self.environment(Some(named))?],
            None => all,
        };
        let keys = |e: &Environment| {
            let shown = |key| shown::api_key(key, &e.name, now);
            self.app.api_keys(e).iter().map(shown).collect::<Vec<_>>()
        };
        Ok(wanted.iter().flat_map(|e| keys(e)).collect())
    }

    pub(super) async fn create_api_key(&self, actor: Actor, wanted: WantedKey) -> Outcome {
        let environment = self.environment(wanted.environment.as_deref())?;
        let allow = Permissions::parse(&wanted.allow).ok_or(
            "--allow must be all, or some of enroll,read,delete,challenge,verify with commas between",
        )?;
        let now = self.app.now().map_err(line)?;
        let expires_at = wanted.expires.as_deref().map(|text| end_of_life(text, now)).transpose()?;
        let made = self.app.create_api_key(actor, &environment, &wanted.name, allow, expires_at).await;
        let (id, text) = made.map_err(line)?;
        Ok(json!({
            "id": id.to_string(),
            "environment": environment.name,
            "client_id": environment.client_id,
            "name": wanted.name,
            "allow": allow.words(),
            "expires_at": expires_at.map(|at| at.to_string()),
            "key": text.reveal(),
        }))
    }

    pub(super) async fn revoke_api_key(&self, actor: Actor, id: &str) -> Outcome {
        let key = self.app.revoke_api_key(actor, id).await.map_err(line)?;
        Ok(json!({ "id": key.id.to_string(), "key": key.hint, "state": "revoked" }))
    }

    pub(super) fn list_settings(&self, environment: Option<&str>) -> Outcome {
        let environment = self.environment(environment)?;
        catalogue().iter().map(|spec| setting(&environment, spec.name)).collect()
    }

    pub(super) fn get_setting(&self, environment: Option<&str>, name: &str) -> Outcome {
        setting(&*self.environment(environment)?, name)
    }

    pub(super) async fn set_setting(
        &self,
        actor: Actor,
        environment: Option<&str>,
        name: &str,
        value: Option<&str>,
    ) -> Outcome {
        let environment = self.environment(environment)?;
        self.app.change_setting(actor, &environment, name, value).await.map_err(line)?;
        self.get_setting(Some(&environment.id.to_string()), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_after_a_span_or_at_a_time() {
        let now = Timestamp::from_millis(1_000);
        for (text, millis) in [
            ("90d", Some(1_000 + 90 * 86_400_000)),
            ("12h", Some(1_000 + 12 * 3_600_000)),
            ("30m", Some(1_000 + 30 * 60_000)),
            ("1970-01-01T01:00:00Z", Some(3_600_000)),
            ("", None),
            ("d", None),
            ("+5d", None),
            ("9999999999d", None),
            ("100000d", None),
            ("90", None),
            ("90 d", None),
            ("tomorrow", None),
        ] {
            assert_eq!(end_of_life(text, now).ok().map(Timestamp::millis), millis, "{text}");
        }
    }
}
