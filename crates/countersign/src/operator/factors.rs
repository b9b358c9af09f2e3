//! Factors: looked at, reset, deleted.

use super::{Operator, Outcome, line, shown};
use domain::{
    environment::Scope,
    event::Actor,
    id::FactorId,
    page::{Cursor, LIMITS, Order, PageRequest},
    refusal::Refusal,
    text::has_control,
    user_id::UserId,
};
use serde_json::{Value, json};
use store::queries::ListFactors;

/// Characters of a reason at most.
const REASON_MAX: usize = 500;

fn factor_id(text: &str) -> Result<FactorId, String> {
    FactorId::parse(text).ok_or_else(|| "a factor's id is `auth_factor_` and 26 characters".into())
}

pub(super) fn reason(text: String) -> Result<String, String> {
    let text = text.trim().to_owned();
    if text.is_empty() || text.chars().count() > REASON_MAX || has_control(&text) {
        return Err(format!("--reason must be 1 to {REASON_MAX} characters without control characters"));
    }
    Ok(text)
}

fn done(refused: Result<(), Refusal>, done: Value) -> Outcome {
    match refused {
        Ok(()) => Ok(done),
        Err(_) => Err("there is no such factor in this environment".into()),
    }
}

impl Operator {
    pub(super) async fn show_factor(&self, environment: Option<&str>, factor: &str) -> Outcome {
        let scope = Scope::of_operator(&*self.environment(environment)?);
        let found = self.app.find_factor(scope, factor_id(factor)?).await.map_err(line)?;
        let now = self.app.now().map_err(line)?;
        found
            .map(|f| shown::factor(&f, now))
            .ok_or_else(|| "there is no such factor in this environment".into())
    }

    pub(super) async fn list_factors(&self, environment: Option<&str>, user: &str) -> Outcome {
        let scope = Scope::of_operator(&*self.environment(environment)?);
        let user = UserId::parse(user).map_err(|problem| format!("--user {problem}"))?;
        let now = self.app.now().map_err(line)?;
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = PageRequest { limit: *LIMITS.end(), order: Order::default(), cursor };
            let query =
                ListFactors { scope, user: user.clone(), page, verified_only: false, ring: self.app.ring() };
            let page = self.app.store().query(query).await.map_err(line)?;
            all.extend(page.items.iter().map(|f| shown::factor(f, now)));
            match page.after {
                Some(id) => cursor = Some(Cursor::After(id)),
                None => return Ok(all.into()),
            }
        }
    }

    pub(super) async fn reset_factor(
        &self,
        actor: Actor,
        environment: Option<&str>,
        factor: &str,
        user_too: bool,
        why: String,
    ) -> Outcome {
        let environment = self.environment(environment)?;
        let (id, why) = (factor_id(factor)?, reason(why)?);
        let reset = self.app.reset_factor(actor, &environment, id, user_too, why).await.map_err(line)?;
        done(reset, json!({ "id": id.to_string(), "reset": true, "user_too": user_too }))
    }

    pub(super) async fn delete_factor(
        &self,
        actor: Actor,
        environment: Option<&str>,
        factor: &str,
        why: String,
    ) -> Outcome {
        let scope = Scope::of_operator(&*self.environment(environment)?);
        let (id, why) = (factor_id(factor)?, reason(why)?);
        let deleted = self.app.delete_factor(scope, actor, id, Some(why)).await.map_err(line)?;
        done(deleted, json!({ "id": id.to_string(), "deleted": true }))
    }
}
