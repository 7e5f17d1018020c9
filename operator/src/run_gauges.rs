//! Gauges over the runs that are there now: counted when they are asked for, so they are right after a restart and need
//! no bookkeeping. They must not look at anything but the cache.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use openreg_crds::ReportRun;
use openreg_crds::common::condition::is_true;
use openreg_crds::report_run::DeliveryState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::stores::Cache;

/// Fills itself from the cache that it is given once the process leads; nothing before that.
#[derive(Clone, Default)]
pub struct RunGauges(pub Arc<OnceLock<Cache<ReportRun>>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Namespace {
    namespace: String,
}

/// What is seen of a namespace's runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Seconds since the creation of the oldest run that has neither started nor ended.
    oldest_waiting: i64,
    /// Deliveries of ended runs of which nobody knows whether they arrived.
    unknown: i64,
}

fn look<'a>(runs: impl Iterator<Item = &'a ReportRun>, now: Timestamp) -> BTreeMap<String, Seen> {
    let mut namespaces = BTreeMap::<String, Seen>::new();
    for run in runs {
        let seen = namespaces.entry(run.metadata.namespace.clone().unwrap_or_default()).or_default();
        let status = run.status.as_ref();
        if status.is_some_and(|s| is_true(&s.conditions, "Complete")) {
            // Before its end a run's delivery may be Unknown for a while and heal.
            let unknown = status.map_or(0, |s| s.deliveries.iter().filter(|d| d.state == DeliveryState::Unknown).count());
            seen.unknown += i64::try_from(unknown).unwrap_or(i64::MAX);
        } else if status.is_none_or(|s| s.started_at.is_none())
            && let Some(created) = &run.metadata.creation_timestamp
        {
            seen.oldest_waiting = seen.oldest_waiting.max(now.duration_since(created.0).as_secs());
        }
    }
    namespaces
}

impl fmt::Debug for RunGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunGauges")
    }
}

impl Collector for RunGauges {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(cache) = self.0.get() else { return Ok(()) };
        let runs = cache.all();
        let namespaces = look(runs.iter().map(AsRef::as_ref), Timestamp::now());
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: fn(&Seen) -> i64| {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (namespace, seen) in &namespaces {
                family.encode_family(&Namespace { namespace: namespace.clone() })?.encode_gauge(&value(seen))?;
            }
            Ok(())
        };
        gauge(
            "runs_oldest_waiting",
            "Age of the oldest run that has not started, by namespace",
            Some(&Unit::Seconds),
            |s| s.oldest_waiting,
        )?;
        gauge("deliveries_unknown", "Deliveries that may or may not have arrived, by namespace", None, |s| {
            s.unknown
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn run(namespace: &str, status: Value) -> ReportRun {
        serde_json::from_value(json!({
            "apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun",
            "metadata": {"name": "a", "namespace": namespace, "creationTimestamp": "2026-03-03T18:00:00Z"},
            "spec": {"id": "5f0c8f6e-0000-4000-8000-000000000001", "reportRef": "trades", "period": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}, "trigger": "Manual"},
            "status": status,
        }))
        .unwrap()
    }

    fn ended(state: &str) -> Value {
        json!({"startedAt": "2026-03-03T18:00:01Z", "deliveries": [{"destination": "bafin", "state": state}],
               "conditions": [{"type": "Complete", "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-03-03T18:01:00Z"}]})
    }

    #[test]
    fn waiting_ends_with_the_first_job_and_unknown_counts_at_the_end() {
        let now: Timestamp = "2026-03-03T18:10:00Z".parse().unwrap();
        for (what, status, oldest_waiting, unknown) in [
            ("fresh", Value::Null, 600, 0),
            ("resolved", json!({"phase": "Queued"}), 600, 0),
            ("started", json!({"startedAt": "2026-03-03T18:05:00Z"}), 0, 0),
            (
                "delivering",
                json!({"startedAt": "2026-03-03T18:05:00Z", "deliveries": [{"destination": "bafin", "state": "Unknown"}]}),
                0,
                0,
            ),
            ("delivered", ended("Delivered"), 0, 0),
            ("unknown", ended("Unknown"), 0, 1),
            ("rejected", json!({"conditions": ended("Delivered")["conditions"]}), 0, 0),
        ] {
            let seen = look([run("acme", status)].iter(), now);
            assert_eq!(seen["acme"], Seen { oldest_waiting, unknown }, "{what}");
        }
        let seen = look(
            [run("acme", ended("Unknown")), run("acme", ended("Unknown")), run("globex", Value::Null)].iter(),
            now,
        );
        assert_eq!((seen["acme"].unknown, seen["globex"].oldest_waiting), (2, 600), "each namespace for itself");
    }
}
