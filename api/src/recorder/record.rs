//! What the history says of a run, out of its object: pure, the same for the same object. The API answers with it too
//! while the recorder has not yet written.

use openreg_crds::common::condition::{ConditionStatus, find, is_true};
use openreg_crds::report_run::{DeliveryState, DeliveryStatus, Mode, RunFailure, Trigger};
use openreg_crds::{RECORDED_FINALIZER, ReportRun};
use serde_json::json;
use uuid::Uuid;

use crate::cluster::Tenant;
use crate::db::audit::NewEntry;
use crate::model::{Attempt, Cancelled, Condition, Counts, Delivery, Failure, Manifest, Period, RunDetail, RunSummary, Scheduled, Usage};

/// What is written of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The tenant.
    pub tenant: Uuid,
    /// Its namespace.
    pub namespace: String,
    /// The run; what comes out of the manifest is added when it is read.
    pub detail: RunDetail,
    /// Audit entries, each written once however often the run is seen.
    pub entries: Vec<NewEntry>,
    /// Whether the run has ended: nothing of it changes any more.
    pub terminal: bool,
}

/// Why an object cannot be recorded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    /// The id is no UUID.
    #[error("could not record the run: its spec.id is not a UUID")]
    Id,
    /// It is of another namespace.
    #[error("could not record the run: it lies in namespace {found}, not in {tenant}")]
    Namespace {
        /// The object's namespace.
        found: String,
        /// The tenant's.
        tenant: String,
    },
}

/// What the history says of `run`.
pub fn record(tenant: &Tenant, run: &ReportRun) -> Result<RunRecord, RecordError> {
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    if namespace != tenant.namespace {
        return Err(RecordError::Namespace {
            found: namespace,
            tenant: tenant.namespace.clone(),
        });
    }
    let id = Uuid::try_parse(&run.spec.id).map_err(|_| RecordError::Id)?;
    let detail = printable(detail(id, run));
    let terminal = is_terminal(run);
    let entries = entries(&detail, terminal);
    Ok(RunRecord {
        tenant: tenant.uid,
        namespace,
        detail,
        entries,
        terminal,
    })
}

/// Whether the run has ended.
pub fn is_terminal(run: &ReportRun) -> bool {
    run.status.as_ref().is_some_and(|s| is_true(&s.conditions, "Complete"))
}

/// Whether the object says that all is stored.
pub fn is_recorded(run: &ReportRun) -> bool {
    run.status.as_ref().is_some_and(|s| is_true(&s.conditions, "Recorded"))
}

/// Whether the run waits for the recorder before it may go.
pub fn is_held(run: &ReportRun) -> bool {
    run.metadata.finalizers.as_ref().is_some_and(|f| f.iter().any(|f| f == RECORDED_FINALIZER))
}

fn detail(id: Uuid, run: &ReportRun) -> RunDetail {
    let (spec, status) = (&run.spec, run.status.clone().unwrap_or_default());
    let conditions = status.conditions.iter().map(|c| Condition {
        type_: c.type_.clone(),
        status: c.status.as_str().to_owned(),
        reason: c.reason.clone(),
        message: c.message.clone(),
        last_transition_time: c.last_transition_time.0.to_string(),
    });
    // The outcome is the reason of Complete=True, also if an older operator did not write the field.
    let ended = find(&status.conditions, "Complete").filter(|c| c.status == ConditionStatus::True);
    let outcome = ended.map(|c| status.outcome.map_or_else(|| c.reason.clone(), |o| o.as_str().to_owned()));
    RunDetail {
        run: RunSummary {
            id,
            name: run.metadata.name.clone().unwrap_or_default(),
            report: spec.report_ref.clone(),
            version: status.report_version.clone().or_else(|| spec.version.clone()),
            period: Period {
                start: spec.period.start.clone(),
                end: spec.period.end.clone(),
            },
            trigger: match spec.trigger {
                Trigger::Schedule => "Schedule",
                Trigger::Manual => "Manual",
            }
            .to_owned(),
            mode: match spec.mode {
                Some(Mode::GenerateOnly) => "GenerateOnly",
                Some(Mode::Full) | None => "Full",
            }
            .to_owned(),
            requested_by: spec.requested_by.clone(),
            phase: status.phase.map(|p| format!("{p:?}")),
            outcome,
            counts: status.counts.map(|c| Counts {
                read: c.read,
                reported: c.reported,
                excluded: c.excluded,
                dropped: c.dropped,
                violations: c.violations,
                artifacts: c.artifacts,
                bytes: c.bytes,
            }),
            failure: status.failure.as_ref().map(failure),
            created_at: run
                .metadata
                .creation_timestamp
                .as_ref()
                .map_or_else(|| "1970-01-01T00:00:00Z".to_owned(), |t| t.0.to_string()),
            started_at: status.started_at.as_ref().map(|t| t.0.to_string()),
            finished_at: status
                .finished_at
                .as_ref()
                .map(|t| t.0.to_string())
                .or_else(|| ended.map(|c| c.last_transition_time.0.to_string())),
            lost_at: None,
        },
        scheduled: spec.scheduled.as_ref().map(|s| Scheduled {
            schedule: s.schedule.clone(),
            slot: s.slot.clone(),
        }),
        parameters: spec.parameters.clone().unwrap_or_default(),
        cancelled: spec.cancelled.as_ref().map(|c| Cancelled {
            reason: c.reason.clone(),
            by: c.by.clone(),
        }),
        conditions: conditions.collect(),
        attempt: status.generate.as_ref().map(|a| Attempt {
            number: a.number,
            job: a.job.clone(),
            next_at: a.next_at.as_ref().map(|t| t.0.to_string()),
        }),
        usage: status.usage.map(|u| Usage {
            duration_ms: u.duration_ms,
            vm_hwm_bytes: u.vm_hwm_bytes,
            cgroup_peak_bytes: u.cgroup_peak_bytes,
        }),
        plan_sha256: status.plan_sha256.clone(),
        manifest: status.manifest.as_ref().map(|m| Manifest {
            key: m.key.clone(),
            sha256: m.sha256.clone(),
        }),
        manifest_read: false,
        datasets: Vec::new(),
        rules: Vec::new(),
        artifacts: Vec::new(),
        deliveries: status.deliveries.iter().map(delivery).collect(),
    }
}

/// Without NUL characters, which the database cannot hold and a custom resource can: a run must not stay unrecorded for one.
fn printable(detail: RunDetail) -> RunDetail {
    fn clean(value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value::{Array, Object, String};
        match value {
            String(text) => String(text.replace('\0', "\u{fffd}")),
            Array(items) => Array(items.into_iter().map(clean).collect()),
            Object(members) => Object(members.into_iter().map(|(k, v)| (k.replace('\0', "\u{fffd}"), clean(v))).collect()),
            other => other,
        }
    }
    match serde_json::to_value(&detail) {
        Ok(value) if value.to_string().contains("\\u0000") => serde_json::from_value(clean(value)).unwrap_or(detail),
        _ => detail,
    }
}

fn delivery(d: &DeliveryStatus) -> Delivery {
    Delivery {
        destination: d.destination.clone(),
        state: state(d.state).to_owned(),
        attempts: d.attempt.as_ref().map_or(0, |a| i32::try_from(a.number).unwrap_or(i32::MAX)),
        begun: d.begun.unwrap_or(false),
        remote: d.remote.clone(),
        receipt_sha256: d.receipt_sha256.clone(),
        finished_at: d.finished_at.as_ref().map(|t| t.0.to_string()),
        failure: d.failure.as_ref().map(failure),
    }
}

fn state(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "Pending",
        DeliveryState::Delivering => "Delivering",
        DeliveryState::Delivered => "Delivered",
        DeliveryState::NotDelivered => "NotDelivered",
        DeliveryState::Unknown => "Unknown",
    }
}

fn failure(f: &RunFailure) -> Failure {
    Failure {
        stage: f.stage.clone(),
        class: f.class.clone(),
        code: f.code.clone(),
        message: f.message.clone(),
        hint: f.hint.clone(),
    }
}

/// What the audit trail says: that the run started, how each delivery ended, how the run ended. A delivery that failed
/// may still be tried again while the run goes on, so only Delivered is final before the run's end.
fn entries(detail: &RunDetail, terminal: bool) -> Vec<NewEntry> {
    let run = &detail.run;
    let subject = format!("run/{}", run.id);
    let mut entries = Vec::new();
    if run.started_at.is_some() || terminal {
        entries.push(NewEntry::by_recorder(
            if run.started_at.is_some() { "run.started" } else { "run.notStarted" },
            &subject,
            json!({"name": run.name, "report": run.report, "version": run.version, "period": run.period, "trigger": run.trigger, "requestedBy": run.requested_by,
                   "parameters": detail.parameters, "scheduled": detail.scheduled, "planSha256": detail.plan_sha256, "startedAt": run.started_at}),
        ));
    }
    for d in detail.deliveries.iter().filter(|d| d.state == "Delivered" || terminal) {
        entries.push(NewEntry::by_recorder(
            "delivery.ended",
            format!("{subject}/delivery/{}", d.destination),
            json!({"destination": d.destination, "state": d.state, "remote": d.remote, "receiptSha256": d.receipt_sha256, "attempts": d.attempts, "finishedAt": d.finished_at,
                   "manifestSha256": detail.manifest.as_ref().map(|m| &m.sha256)}),
        ));
    }
    if terminal {
        entries.push(NewEntry::by_recorder(
            "run.ended",
            &subject,
            json!({"outcome": run.outcome, "version": run.version, "counts": run.counts, "planSha256": detail.plan_sha256, "manifest": detail.manifest,
                   "failure": run.failure.as_ref().map(|f| json!({"stage": f.stage, "class": f.class, "code": f.code})), "cancelled": detail.cancelled, "finishedAt": run.finished_at}),
        ));
    }
    entries
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
