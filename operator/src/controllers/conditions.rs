//! Problems → conditions, and status → API server. Deciding what is wrong is not done here.

use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::PostParams;
use kube::core::object::HasStatus;
use kube::runtime::events::EventType;
use kube::{Api, Resource, ResourceExt};
use openreg_crds::common::condition::{self, Condition, ConditionStatus};
use openreg_parts::error::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;

/// The spec is right, and what follows from it exists.
pub const READY: &str = "Ready";
/// What the last probe saw.
pub const REACHABLE: &str = "Reachable";
/// Something works and should not stay so.
pub const WARNING: &str = "Warning";

/// True while something that belongs to somebody else is in the way.
pub const CONFLICT: &str = "Conflict";

/// The most characters of a condition's message, as the schema says.
const MAX_MESSAGE: usize = 4096;
/// The most problems that a message lists.
const MAX_LISTED: usize = 5;

/// A condition.
pub fn condition(type_: &str, status: ConditionStatus, reason: &str, message: impl Into<String>, generation: Option<i64>, now: Timestamp) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status,
        observed_generation: generation,
        last_transition_time: Time(now),
        reason: word(reason),
        message: message.into().chars().take(MAX_MESSAGE).collect(),
    }
}

/// A reason is one CamelCase word. One that is not, from a runner of another release perhaps, would make the whole status be
/// refused for ever.
pub fn word(text: &str) -> String {
    let word: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(128).collect();
    if word.is_empty() { "Unspecified".to_owned() } else { word }
}

/// `Ready`, from the list of what is wrong.
pub fn ready(problems: &[Problem], generation: Option<i64>, now: Timestamp) -> Condition {
    if problems.is_empty() {
        return condition(READY, ConditionStatus::True, "Valid", "the spec is right", generation, now);
    }
    condition(READY, ConditionStatus::False, "Invalid", sentence(problems), generation, now)
}

/// Problems as one line: the first few in full, then how many more.
pub fn sentence(problems: &[Problem]) -> String {
    let mut parts: Vec<String> = problems.iter().take(MAX_LISTED).map(Problem::to_string).collect();
    if problems.len() > MAX_LISTED {
        parts.push(format!("and {} more", problems.len() - MAX_LISTED));
    }
    parts.join("; ")
}

/// Takes the condition of that type away.
pub fn remove(conditions: &mut Vec<Condition>, type_: &str) {
    conditions.retain(|c| c.type_ != type_);
}

/// Writes `status`, computed from `object`, if it differs from what `object` has; refused by the API server when the
/// object changed meanwhile. Tells in Events which conditions turned.
pub async fn write_status<K>(ctx: &Context, object: &K, status: K::Status, told: &[&str]) -> kube::Result<bool>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus + Clone + Debug + Serialize + DeserializeOwned,
    K::Status: PartialEq + Conditions,
{
    if object.status() == Some(&status) {
        return Ok(false);
    }
    let before: Vec<Condition> = object.status().map(|s| s.conditions().to_vec()).unwrap_or_default();
    let after = status.conditions().to_vec();
    let mut changed = object.clone();
    *changed.status_mut() = Some(status);
    // Pruned in the cache: absent, the API server keeps its own.
    changed.meta_mut().managed_fields = None;
    let api = Api::<K>::namespaced(ctx.client.clone(), &object.namespace().unwrap_or_default());
    let params = PostParams {
        field_manager: Some(ctx.config.manager.clone()),
        ..PostParams::default()
    };
    api.replace_status(&object.name_any(), &params, &changed).await?;
    for turned in turned(&before, &after, told) {
        let bad = match turned.type_.as_str() {
            WARNING | CONFLICT => turned.status == ConditionStatus::True,
            _ => turned.status != ConditionStatus::True,
        };
        let type_ = if bad { EventType::Warning } else { EventType::Normal };
        ctx.event(object, type_, &turned.reason, &turned.type_, turned.message.clone()).await;
    }
    Ok(true)
}

/// The conditions of the types `told` whose status or reason is another than before.
fn turned<'a>(before: &[Condition], after: &'a [Condition], told: &[&str]) -> Vec<&'a Condition> {
    after
        .iter()
        .filter(|new| told.contains(&new.type_.as_str()))
        .filter(|new| condition::find(before, &new.type_).is_none_or(|old| old.status != new.status || old.reason != new.reason))
        .collect()
}

/// A status that has conditions.
pub trait Conditions {
    /// They.
    fn conditions(&self) -> &[Condition];
}

macro_rules! conditions {
    ($($status:ty),*) => {
        $(impl Conditions for $status {
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }
        })*
    };
}
conditions!(
    openreg_crds::common::status::EndpointStatus,
    openreg_crds::report::ReportStatus,
    openreg_crds::schedule::ScheduleStatus
);

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-02T18:30:00Z".parse().unwrap()
    }

    #[test]
    fn problems_become_one_sentence() {
        let problem = |i: usize| Problem::new(format!("spec.validation[{i}]"), "is wrong");
        for (count, status, reason, message) in [
            (0, ConditionStatus::True, "Valid", "the spec is right".to_owned()),
            (1, ConditionStatus::False, "Invalid", "spec.validation[0]: is wrong".to_owned()),
            (
                7,
                ConditionStatus::False,
                "Invalid",
                "spec.validation[0]: is wrong; spec.validation[1]: is wrong; spec.validation[2]: is wrong; spec.validation[3]: is wrong; spec.validation[4]: is wrong; and 2 more".to_owned(),
            ),
        ] {
            let problems: Vec<_> = (0..count).map(problem).collect();
            let ready = ready(&problems, Some(3), now());
            assert_eq!((ready.status, ready.reason.as_str(), ready.message, ready.observed_generation), (status, reason, message, Some(3)), "{count}");
        }
    }

    #[test]
    fn long_message_fits_the_schema() {
        let condition = ready(&[Problem::new("spec", "ü".repeat(9000))], None, now());
        assert_eq!(condition.message.chars().count(), MAX_MESSAGE);
    }

    #[test]
    fn reason_is_always_one_word() {
        for (text, expected) in [
            ("PasswordRefused", "PasswordRefused"),
            ("no such host\n", "nosuchhost"),
            ("", "Unspecified"),
            ("é!", "Unspecified"),
        ] {
            assert_eq!(condition(READY, ConditionStatus::False, text, "x", None, now()).reason, expected);
        }
        assert_eq!(word(&"X".repeat(4000)).len(), 128);
    }

    #[test]
    fn only_turned_conditions_are_told() {
        let make = |status, reason: &str| condition(REACHABLE, status, reason, "x", None, now());
        let old = [make(ConditionStatus::True, "Reachable")];
        let told = [REACHABLE];
        assert!(turned(&old, &[make(ConditionStatus::True, "Reachable")], &told).is_empty());
        assert_eq!(turned(&old, &[make(ConditionStatus::False, "PasswordRefused")], &told).len(), 1);
        assert_eq!(
            turned(
                &[make(ConditionStatus::False, "UnknownHost")],
                &[make(ConditionStatus::False, "PasswordRefused")],
                &told
            )
            .len(),
            1
        );
        assert_eq!(turned(&[], &[make(ConditionStatus::False, "PasswordRefused")], &told).len(), 1);
        assert!(turned(&old, &[make(ConditionStatus::False, "PasswordRefused")], &[READY]).is_empty());
    }
}
