//! What the Jobs of one run get beside the plan: limits, Secrets to mount, attempts. Computed once when the plan is made and
//! kept beside it in the same immutable ConfigMap, so that a later edit of a Connector, a Destination or the Report cannot
//! change a run under way. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openreg_crds::Destination;
use openreg_crds::report::{Backoff, Execution};
use openreg_parts::units::ByteSize;
use openreg_plan::plan::{RunPlan, SecretMount};
use serde::{Deserialize, Serialize};

use crate::pod;

/// The most CPU a Job may have, in thousandths: 2 CPUs.
const MAX_CPU_MILLIS: u64 = 2_000;
/// The most memory a Job may have: 4 GiB.
const MAX_MEMORY_BYTES: u64 = 4 << 30;

/// What the Jobs of one run get beside the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launch {
    /// CPU limit, as a quantity: at most `2`.
    pub cpu: String,
    /// Memory limit, as a quantity: at most `4Gi`.
    pub memory: String,
    /// Bytes that may be spilled.
    pub scratch_bytes: u64,
    /// How long a pod may take to start.
    pub startup_seconds: u64,
    /// The generate stage.
    pub generate: Stage,
    /// The connectors that are read.
    pub connectors: Vec<Peer>,
    /// The Secret of the store, if it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<SecretMount>,
    /// The destinations in the plan's order; empty when the run only generates.
    pub destinations: Vec<Target>,
}

/// How long and how often a stage may be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Wall-clock seconds of one attempt.
    pub timeout_seconds: u64,
    /// The most attempts, the first included.
    pub max_attempts: u32,
    /// The first pause between attempts, in milliseconds.
    pub backoff_initial_ms: u64,
    /// The longest pause.
    pub backoff_max_ms: u64,
}

/// A connector that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its Secret, if it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretMount>,
}

/// A destination that files go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its Secret, if it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretMount>,
    /// How long and how often a delivery may be tried.
    pub stage: Stage,
}

impl Launch {
    /// What the Jobs of `plan` get, with the defaults of what was not said.
    pub fn of(plan: &RunPlan, execution: Option<&Execution>, destinations: &BTreeMap<String, Arc<Destination>>) -> Self {
        let none = Execution::default();
        let execution = execution.unwrap_or(&none);
        let retry = execution.retry.clone().unwrap_or_default();
        let targets = plan.destinations.iter().map(|d| {
            let options = destinations.get(&d.name).and_then(|found| found.spec.delivery.clone()).unwrap_or_default();
            let stage = Stage::new(
                d.timeout_seconds,
                options.max_attempts.unwrap_or(8),
                options.backoff.as_ref(),
                (Duration::from_secs(5), Duration::from_secs(15 * 60)),
            );
            Target {
                name: d.name.clone(),
                secret: d.credentials.clone(),
                stage,
            }
        });
        Self {
            cpu: cpu_limit(execution.cpu.as_deref()),
            memory: memory_limit(execution.memory.as_ref()),
            scratch_bytes: plan.limits.scratch_bytes,
            startup_seconds: execution.startup_deadline.as_ref().map_or(120, |d| d.get().as_secs().max(1)),
            generate: Stage::new(
                plan.limits.timeout_seconds,
                retry.max_attempts.unwrap_or(3),
                retry.backoff.as_ref(),
                (Duration::from_secs(30), Duration::from_secs(10 * 60)),
            ),
            connectors: plan
                .connectors
                .iter()
                .map(|(name, c)| Peer {
                    name: name.clone(),
                    secret: c.credentials.clone(),
                })
                .collect(),
            store: plan.store.credentials.clone(),
            destinations: targets.collect(),
        }
    }
}

impl Launch {
    /// Whether it mounts what the plan says and nothing else, within the limits that are hard. A ConfigMap cannot be changed,
    /// but whoever may delete it may make another of its name: that must not be a way to another Secret.
    pub fn agrees_with(&self, plan: &RunPlan) -> bool {
        let connectors = self.connectors.iter().map(|c| (&c.name, &c.secret));
        let destinations = self.destinations.iter().map(|d| (&d.name, &d.secret, d.stage.timeout_seconds));
        connectors.eq(plan.connectors.iter().map(|(name, c)| (name, &c.credentials)))
            && destinations.eq(plan.destinations.iter().map(|d| (&d.name, &d.credentials, d.timeout_seconds)))
            && self.store == plan.store.credentials
            && self.generate.timeout_seconds == plan.limits.timeout_seconds
            && self.scratch_bytes == plan.limits.scratch_bytes
            && self.cpu == cpu_limit(Some(&self.cpu))
            && self.memory == memory_limit(ByteSize::try_from(self.memory.clone()).ok().as_ref())
    }
}

impl Stage {
    fn new(timeout_seconds: u64, max_attempts: u32, backoff: Option<&Backoff>, (initial, max): (Duration, Duration)) -> Self {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let initial = backoff.and_then(|b| b.initial.as_ref()).map_or(initial, |d| d.get());
        let max = backoff.and_then(|b| b.max.as_ref()).map_or(max, |d| d.get());
        Self {
            timeout_seconds,
            max_attempts: max_attempts.max(1),
            backoff_initial_ms: millis(initial),
            backoff_max_ms: millis(max.max(initial)),
        }
    }

    /// The pause after attempt `number`: doubles from the first one to the longest.
    pub fn pause(&self, number: u32) -> Duration {
        let doublings = number.saturating_sub(1).min(32);
        Duration::from_millis(self.backoff_initial_ms.saturating_mul(1 << doublings).min(self.backoff_max_ms))
    }
}

/// CPU of a quantity in thousandths.
fn cpu_millis(quantity: &str) -> Option<u64> {
    if let Some(millis) = quantity.strip_suffix('m') {
        return millis.parse().ok();
    }
    let (whole, tenths) = quantity.split_once('.').unwrap_or((quantity, "0"));
    if tenths.len() != 1 {
        return None;
    }
    Some(whole.parse::<u64>().ok()?.checked_mul(1000)? + tenths.parse::<u64>().ok()? * 100)
}

// The limits are hard: what the schema should have refused is cut here once more.
fn cpu_limit(asked: Option<&str>) -> String {
    match asked {
        Some(text) if cpu_millis(text).is_some_and(|m| m > 0 && m <= MAX_CPU_MILLIS) => text.to_owned(),
        _ => pod::MAX_CPU.to_owned(),
    }
}

fn memory_limit(asked: Option<&ByteSize>) -> String {
    match asked {
        Some(size) if size.get() > 0 && size.get() <= MAX_MEMORY_BYTES => size.to_string(),
        _ => pod::MAX_MEMORY.to_owned(),
    }
}
