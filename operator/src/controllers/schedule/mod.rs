//! The schedule controller: due slots become ReportRuns, others are recorded as skipped.
//!
//! Order of writes: the run first (POST, a name that follows from the slot), then the status. A crash between the two
//! finds the run there and goes on. What is due is decided by `due.rs`, what the run contains by `build.rs`.

pub mod build;
pub mod due;
pub mod period;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt};
use openreg_crds::common::condition::{self, ConditionStatus};
use openreg_crds::schedule::{ScheduleStatus, SkippedSlot};
use openreg_crds::{ReportRun, Schedule};
use openreg_parts::error::Problem;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::due::{Decision, Due, Known, Times, wait};
use super::conditions::{self, CONFLICT, READY, condition};
use super::endpoint::not_a_tenant;
use super::{drive, queue};
use crate::context::Context;

/// No limit on how many are looked at: what is limited is the writes.
const CONCURRENCY: u16 = 0;
/// How many writes are under way in one moment. They are let through in the order in which they were asked for: when a
/// thousand schedules are due at once, all their runs are made before the first status is written.
const WRITES: usize = 64;

#[derive(Debug, thiserror::Error)]
enum ScheduleError {
    #[error("could not {what}")]
    Api { what: String, source: kube::Error },
    #[error("could not compute the period of a slot")]
    Period(#[from] jiff::Error),
}

/// Runs until shutdown.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    let (asked, requests) = queue::<Schedule>();
    let tell = asked.clone();
    ctx.stores.schedules.on_change(move |schedule| tell.add(schedule));
    let schedules = ctx.stores.schedules.clone();
    ctx.stores
        .tenants
        .on_change(move |tenant| schedules.in_namespace(&tenant.name_any(), |_| true).iter().for_each(|s| asked.add(s)));
    let cache = ctx.stores.schedules.clone();
    let writes = Arc::new(Semaphore::new(WRITES));
    drive(
        "schedule",
        ctx,
        &cache,
        requests,
        CONCURRENCY,
        move |schedule, ctx| reconcile(schedule, ctx, Arc::clone(&writes)),
        shutdown,
    )
    .await;
}

async fn reconcile(schedule: Arc<Schedule>, ctx: Arc<Context>, writes: Arc<Semaphore>) -> Result<Action, ScheduleError> {
    if schedule.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = ctx.now();
    let (namespace, name) = (schedule.namespace().unwrap_or_default(), schedule.name_any());
    let tenant = ctx.stores.tenant(&namespace).and_then(|t| t.uid());
    let mut problems = openreg_resolve::check::schedule(&schedule.spec);
    let times = Times::new(&schedule.spec);
    if let (Err(found), true) = (&times, problems.is_empty()) {
        problems.extend(found.iter().cloned());
    }
    if tenant.is_none() {
        problems.push(not_a_tenant(&namespace));
    }
    let mut status = schedule.status.clone().unwrap_or_default();
    let (mut next, mut decided) = (None, None);
    if let (Ok(times), Some(tenant), true) = (times, tenant, problems.is_empty()) {
        let decision = decide(&ctx, &schedule, &times, &status, &namespace, &name, now)?;
        let conflict = match &decision.run {
            Some(due) => {
                let _turn = writes.acquire().await;
                start(&ctx, &schedule, &namespace, &name, &tenant, due).await?
            }
            None => None,
        };
        next = decision.next;
        settle(&mut status, &schedule, &name, &decision, conflict.as_deref(), now);
        decided = Some(decision);
    }
    judge(&mut status, &schedule, &problems, now);
    let turn = writes.acquire().await;
    conditions::write_status(&ctx, &*schedule, status, &[READY, CONFLICT])
        .await
        .map_err(|source| ScheduleError::Api {
            what: format!("write the status of schedule {namespace}/{name}"),
            source,
        })?;
    drop(turn);
    // After the write, so that a slot is told once however often its decision is computed.
    if let Some(decision) = decided {
        tell_skipped(&ctx, &schedule, &decision).await;
    }
    Ok(Action::requeue(wait(ctx.now(), next)))
}

/// `due`, with what is known of this schedule.
fn decide(
    ctx: &Context,
    schedule: &Schedule,
    times: &Times,
    status: &ScheduleStatus,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Result<Decision, jiff::Error> {
    let known = Known {
        created: schedule.metadata.creation_timestamp.as_ref().map_or(now, |t| t.0),
        decided_until: status.decided_until.as_ref().map(|t| t.0),
        edited: edited(schedule, now),
        now,
        active: &|slot| active_run(ctx, namespace, name, slot),
        has_run: &|slot| has_run(ctx, namespace, name, slot),
    };
    due::due(&schedule.spec, times, &known)
}

/// When the spec was changed, if it was since the status was written. The API server notes who wrote the object when.
fn edited(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let seen = schedule.status.as_ref()?.observed_generation?;
    if schedule.metadata.generation == Some(seen) {
        return None;
    }
    let writes = schedule
        .metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.subresource.as_deref().is_none_or(str::is_empty));
    // Without the note (it may be turned off) the change is as old as its discovery.
    Some(writes.filter_map(|entry| entry.time.as_ref().map(|t| t.0)).max().unwrap_or(now))
}

/// A run of the schedule, other than the slot's own, that has not ended.
fn active_run(ctx: &Context, namespace: &str, schedule: &str, slot: Timestamp) -> Option<String> {
    let own = build::slot_text(slot);
    let runs = ctx.stores.runs.in_namespace(namespace, |run| {
        run.spec.scheduled.as_ref().is_some_and(|s| s.schedule == schedule && s.slot != own)
            && !run.status.as_ref().is_some_and(|s| condition::is_true(&s.conditions, "Complete"))
    });
    runs.iter().map(|run| run.name_any()).min()
}

/// Whether the slot's own run is there.
fn has_run(ctx: &Context, namespace: &str, schedule: &str, slot: Timestamp) -> bool {
    let own = build::slot_text(slot);
    let there = ctx.stores.runs.get(namespace, &build::run_name(schedule, slot));
    there.is_some_and(|run| run.spec.scheduled.as_ref().is_some_and(|s| s.schedule == schedule && s.slot == own))
}

/// Makes the run of a slot; says what is in the way when its name is taken by another run.
async fn start(ctx: &Context, schedule: &Schedule, namespace: &str, name: &str, tenant: &str, due: &Due) -> Result<Option<String>, ScheduleError> {
    let run = build::run(tenant, namespace, name, &schedule.spec, due);
    let run_name = run.name_any();
    let what = || format!("make run {namespace}/{run_name}");
    let runs = Api::<ReportRun>::namespaced(ctx.client.clone(), namespace);
    match runs
        .create(
            &PostParams {
                field_manager: Some(ctx.config.manager.clone()),
                ..PostParams::default()
            },
            &run,
        )
        .await
    {
        Ok(_) => {
            let skew = std::time::Duration::try_from(ctx.now().duration_since(due.slot)).unwrap_or_default();
            ctx.metrics.slot_run(skew);
            tracing::info!(
                schedule = name,
                schedule.namespace = namespace,
                run.name = run_name,
                run.id = run.spec.id,
                skew_ms = skew.as_millis(),
                "schedule {namespace}/{name} started run {run_name}"
            );
            ctx.event(schedule, EventType::Normal, "RunStarted", "Schedule", format!("started run {run_name}"))
                .await;
            Ok(None)
        }
        Err(kube::Error::Api(answer)) if answer.code == 409 => {
            let there = runs.get(&run_name).await.map_err(|source| ScheduleError::Api { what: what(), source })?;
            if build::is_same(&there.spec, &run.spec) {
                return Ok(None);
            }
            ctx.metrics.slot_skipped();
            Ok(Some(format!(
                "run {run_name} is there and is another one: the slot was not run; delete or rename it, then start a run by hand"
            )))
        }
        Err(source) => {
            // Forbidden, or refused by a quota or an admission rule: tried again, but somebody has to do something.
            if let kube::Error::Api(answer) = &source
                && matches!(answer.code, 400 | 403 | 422)
            {
                let note = format!("could not make run {run_name}, trying again: {}", answer.message);
                ctx.event(schedule, EventType::Warning, "RunRefused", "Schedule", note).await;
            }
            Err(ScheduleError::Api { what: what(), source })
        }
    }
}

/// Writes the decision into the status.
fn settle(status: &mut ScheduleStatus, schedule: &Schedule, name: &str, decision: &Decision, conflict: Option<&str>, now: Timestamp) {
    if let Some(until) = decision.decided_until {
        status.decided_until = Some(Time(until));
    }
    let newest = decision.run.as_ref().map(|r| r.slot).max(decision.skipped.first().map(|s| s.slot));
    if let Some(slot) = newest {
        status.last_slot = Some(Time(slot));
    }
    let mut skipped: Vec<SkippedSlot> = Vec::new();
    if let Some(due) = &decision.run {
        let generation = schedule.metadata.generation;
        match conflict {
            None => {
                status.last_run = Some(build::run_name(name, due.slot));
                conditions::remove(&mut status.conditions, CONFLICT);
            }
            Some(message) => {
                skipped.push(SkippedSlot {
                    slot: Time(due.slot),
                    reason: "its name is taken by another run".to_owned(),
                });
                condition::set(
                    &mut status.conditions,
                    condition(CONFLICT, ConditionStatus::True, "RunNameTaken", message, generation, now),
                );
            }
        }
    }
    skipped.extend(decision.skipped.iter().map(|s| SkippedSlot {
        slot: Time(s.slot),
        reason: s.reason.chars().take(256).collect(),
    }));
    if !skipped.is_empty() {
        skipped.append(&mut status.skipped);
        skipped.truncate(due::MAX_SKIPPED);
        status.skipped = skipped;
    }
    status.next_slot = decision.next.map(Time);
    status.suspended_since = match (schedule.spec.suspend, &status.suspended_since) {
        (Some(true), Some(since)) => Some(since.clone()),
        (Some(true), None) => Some(Time(now)),
        _ => None,
    };
}

fn judge(status: &mut ScheduleStatus, schedule: &Schedule, problems: &[Problem], now: Timestamp) {
    let generation = schedule.metadata.generation;
    let mut ready = conditions::ready(problems, generation, now);
    if problems.is_empty() && schedule.spec.suspend == Some(true) {
        ready.reason = "Suspended".to_owned();
        ready.message = "the spec is right, and suspend is true: nothing is started".to_owned();
    }
    condition::set(&mut status.conditions, ready);
    if !problems.is_empty() {
        status.next_slot = None;
    }
    status.observed_generation = generation;
}

async fn tell_skipped(ctx: &Context, schedule: &Schedule, decision: &Decision) {
    for skipped in &decision.skipped {
        ctx.metrics.slot_skipped();
        tracing::warn!(
            schedule = schedule.name_any(),
            slot = build::slot_text(skipped.slot),
            reason = skipped.reason,
            "schedule {} skipped a slot",
            schedule.name_any()
        );
    }
    if let Some(newest) = decision.skipped.first() {
        let more = if decision.skipped.len() > 1 {
            format!(", and {} before it", decision.skipped.len() - 1)
        } else {
            String::new()
        };
        ctx.event(
            schedule,
            EventType::Warning,
            "SlotSkipped",
            "Schedule",
            format!("skipped slot {}{more}: {}", build::slot_text(newest.slot), newest.reason),
        )
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schedule(generation: i64, observed: Option<i64>) -> Schedule {
        serde_json::from_value(json!({
            "apiVersion": "openreg.io/v1alpha1", "kind": "Schedule",
            "metadata": {"name": "s", "namespace": "acme", "generation": generation, "managedFields": [
                {"manager": "kubectl", "operation": "Apply", "time": "2026-03-02T10:00:00Z"},
                {"manager": "argocd", "operation": "Update", "time": "2026-03-02T11:00:00Z"},
                {"manager": "openreg-operator", "operation": "Update", "subresource": "status", "time": "2026-03-02T12:00:00Z"}
            ]},
            "spec": {"reportRef": "r", "cron": ["0 1 * * *"]},
            "status": {"conditions": [], "observedGeneration": observed}
        }))
        .unwrap()
    }

    #[test]
    fn edit_is_known_by_the_last_write_that_was_not_ours() {
        let now: Timestamp = "2026-03-02T13:00:00Z".parse().unwrap();
        assert_eq!(edited(&schedule(2, Some(2)), now), None);
        assert_eq!(edited(&schedule(2, None), now), None, "never seen: it starts at its creation");
        assert_eq!(edited(&schedule(3, Some(2)), now), Some("2026-03-02T11:00:00Z".parse().unwrap()));
        let mut silent = schedule(3, Some(2));
        silent.metadata.managed_fields = None;
        assert_eq!(edited(&silent, now), Some(now));
    }

    #[test]
    fn status_keeps_the_newest_skipped_slots() {
        let now: Timestamp = "2026-03-02T13:00:00Z".parse().unwrap();
        let slot = |minute: i64| Timestamp::from_second(1_772_400_000 + 60 * minute).unwrap();
        let mut status = ScheduleStatus::default();
        for minute in 0..30 {
            let decision = Decision {
                skipped: vec![due::Skipped {
                    slot: slot(minute),
                    reason: "x".to_owned(),
                }],
                decided_until: Some(slot(minute)),
                ..Decision::default()
            };
            settle(&mut status, &schedule(1, Some(1)), "s", &decision, None, now);
        }
        assert_eq!(status.skipped.len(), due::MAX_SKIPPED);
        assert_eq!(status.skipped[0].slot.0, slot(29));
        assert_eq!(status.last_slot, Some(Time(slot(29))));
        assert_eq!(status.last_run, None);
    }

    #[test]
    fn taken_name_is_a_conflict_until_the_next_run() {
        let now: Timestamp = "2026-03-02T13:00:00Z".parse().unwrap();
        let due = Due {
            slot: now,
            period: period::period(now, None, &jiff::tz::TimeZone::UTC).unwrap(),
        };
        let decision = Decision {
            run: Some(due),
            decided_until: Some(now),
            ..Decision::default()
        };
        let mut status = ScheduleStatus::default();
        settle(&mut status, &schedule(1, Some(1)), "s", &decision, Some("taken"), now);
        assert!(condition::is_true(&status.conditions, CONFLICT));
        assert_eq!((status.last_run.clone(), status.skipped.len()), (None, 1));
        settle(&mut status, &schedule(1, Some(1)), "s", &decision, None, now);
        assert!(condition::find(&status.conditions, CONFLICT).is_none());
        assert_eq!(status.last_run.as_deref(), Some("s-202603021300"));
    }
}
