//! What Prometheus is told. Every name stands here once; the alerts of the chart use them.

use std::sync::Arc;
use std::time::Duration;

use openreg_crds::ReportRun;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::run_gauges::RunGauges;
use crate::stores::Cache;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    namespace: String,
    report: String,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    stage: String,
    class: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Slot {
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Probe {
    kind: &'static str,
    result: String,
}

/// All metrics of the operator. Cloning is cheap.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<Reconcile, Counter>,
    reconcile_seconds: Family<Controller, Histogram>,
    runs_finished: Family<Outcome, Counter>,
    run_attempts: Family<Attempt, Counter>,
    run_seconds: Histogram,
    schedule_slots: Family<Slot, Counter>,
    schedule_skew: Histogram,
    probes: Family<Probe, Counter>,
    watch_errors: Family<Kind, Counter>,
    undecodable: Family<Kind, Counter>,
    watch_progress: Family<Kind, Gauge>,
    leader: Gauge,
    runs: RunGauges,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics in a registry of their own.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("openreg");
        // 1 ms to 33 s: a reconcile is a few API calls.
        let reconcile_seconds = Family::<Controller, Histogram>::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 16)));
        // 1 s to 9 h.
        let run_seconds = Histogram::new(exponential_buckets(1.0, 2.0, 16));
        // 1 ms to 65 s; the promise is 50 ms in the middle and 100 ms at p99.
        let schedule_skew = Histogram::new(exponential_buckets(0.001, 2.0, 17));
        let reconciles = Family::default();
        let runs_finished = Family::default();
        let run_attempts = Family::default();
        let schedule_slots = Family::default();
        let probes = Family::default();
        let watch_errors = Family::default();
        let undecodable = Family::default();
        let watch_progress = Family::default();
        let leader = Gauge::default();
        registry.register("reconciles", "Reconciliations by controller and result", Family::clone(&reconciles));
        registry.register_with_unit(
            "reconcile_duration",
            "How long one reconciliation took",
            Unit::Seconds,
            Family::clone(&reconcile_seconds),
        );
        registry.register(
            "runs_finished",
            "Runs that ended, by namespace, report and outcome",
            Family::clone(&runs_finished),
        );
        registry.register(
            "run_attempts",
            "Jobs that ended, by stage and class of error (Ok without one)",
            Family::clone(&run_attempts),
        );
        registry.register_with_unit("run_duration", "From a run's creation to its end", Unit::Seconds, run_seconds.clone());
        registry.register("schedule_slots", "Slots decided: Run or Skipped", Family::clone(&schedule_slots));
        registry.register_with_unit("schedule_skew", "From a slot to the creation of its run", Unit::Seconds, schedule_skew.clone());
        registry.register(
            "probes",
            "Probe Jobs that ended, by kind and result (Reachable or the error's code)",
            Family::clone(&probes),
        );
        registry.register(
            "watch_errors",
            "Watches that failed and were begun again, by kind",
            Family::clone(&watch_errors),
        );
        registry.register(
            "undecodable_objects",
            "Objects that could not be read and were left out, by kind",
            Family::clone(&undecodable),
        );
        registry.register_with_unit(
            "watch_last_progress_timestamp",
            "Unix time of the last byte of a watch, by kind",
            Unit::Seconds,
            Family::clone(&watch_progress),
        );
        let runs = RunGauges::default();
        registry.register_collector(Box::new(runs.clone()));
        registry.register("leader", "1 while this process holds the Lease", leader.clone());
        Self {
            registry: Arc::new(registry),
            reconciles,
            reconcile_seconds,
            runs_finished,
            run_attempts,
            run_seconds,
            schedule_slots,
            schedule_skew,
            probes,
            watch_errors,
            undecodable,
            watch_progress,
            leader,
            runs,
        }
    }

    /// From now on the gauges over runs are counted in that cache.
    pub fn observe_runs(&self, cache: Cache<ReportRun>) {
        // Once a process: it leads once.
        let _ = self.runs.0.set(cache);
    }

    /// One reconciliation ended.
    pub fn reconciled(&self, controller: &'static str, result: &'static str, took: Duration) {
        self.reconciles.get_or_create(&Reconcile { controller, result }).inc();
        self.reconcile_seconds.get_or_create(&Controller { controller }).observe(took.as_secs_f64());
    }

    /// A run ended.
    pub fn run_finished(&self, namespace: &str, report: &str, outcome: &str) {
        self.runs_finished
            .get_or_create(&Outcome {
                namespace: namespace.to_owned(),
                report: report.to_owned(),
                outcome: outcome.to_owned(),
            })
            .inc();
    }

    /// A generate or deliver Job ended.
    pub fn run_attempt(&self, stage: &str, class: &str) {
        self.run_attempts
            .get_or_create(&Attempt {
                stage: stage.to_owned(),
                class: class.to_owned(),
            })
            .inc();
    }

    /// A run took that long.
    pub fn run_seconds(&self, seconds: f64) {
        self.run_seconds.observe(seconds);
    }

    /// A slot became a run, that long after its time.
    pub fn slot_run(&self, skew: Duration) {
        self.schedule_slots.get_or_create(&Slot { decision: "Run" }).inc();
        self.schedule_skew.observe(skew.as_secs_f64());
    }

    /// A slot was skipped.
    pub fn slot_skipped(&self) {
        self.schedule_slots.get_or_create(&Slot { decision: "Skipped" }).inc();
    }

    /// A probe Job ended.
    pub fn probed(&self, kind: &'static str, result: &str) {
        self.probes
            .get_or_create(&Probe {
                kind,
                result: result.to_owned(),
            })
            .inc();
    }

    /// A watch failed.
    pub fn watch_failed(&self, plural: &str) {
        self.watch_errors.get_or_create(&Kind { kind: plural.to_owned() }).inc();
    }

    /// An object could not be read.
    pub fn undecodable(&self, plural: &str) {
        self.undecodable.get_or_create(&Kind { kind: plural.to_owned() }).inc();
    }

    /// The last byte of a kind's watch came at that Unix time.
    pub fn watch_progress(&self, plural: &str, unix_seconds: i64) {
        self.watch_progress.get_or_create(&Kind { kind: plural.to_owned() }).set(unix_seconds);
    }

    /// Whether this process holds the Lease.
    pub fn leader(&self, holds: bool) {
        self.leader.set(i64::from(holds));
    }

    /// Everything, in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_alerts_use() {
        let metrics = Metrics::new();
        metrics.reconciled("run", "Ok", Duration::from_millis(3));
        metrics.run_finished("acme", "trades", "Delivered");
        metrics.run_attempt("Generate", "Ok");
        metrics.run_seconds(2.0);
        metrics.slot_run(Duration::from_millis(20));
        metrics.slot_skipped();
        metrics.probed("connector", "Reachable");
        metrics.watch_progress("reportruns", 5);
        metrics.leader(true);
        let text = metrics.encode();
        for line in [
            r#"openreg_reconciles_total{controller="run",result="Ok"} 1"#,
            r#"openreg_reconcile_duration_seconds_count{controller="run"} 1"#,
            r#"openreg_runs_finished_total{namespace="acme",report="trades",outcome="Delivered"} 1"#,
            r#"openreg_run_attempts_total{stage="Generate",class="Ok"} 1"#,
            "openreg_run_duration_seconds_count 1",
            r#"openreg_schedule_slots_total{decision="Run"} 1"#,
            r#"openreg_schedule_slots_total{decision="Skipped"} 1"#,
            "openreg_schedule_skew_seconds_count 1",
            r#"openreg_probes_total{kind="connector",result="Reachable"} 1"#,
            r#"openreg_watch_last_progress_timestamp_seconds{kind="reportruns"} 5"#,
            "openreg_leader 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
