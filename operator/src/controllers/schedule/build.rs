//! A slot → the ReportRun that stands for it, the same however often it is made. Pure.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use openreg_crds::report_run::{Mode, Period as RunPeriod, Scheduled, Trigger};
use openreg_crds::schedule::ScheduleSpec;
use openreg_crds::{ReportRun, ReportRunSpec};
use uuid::Uuid;

use super::due::Due;
use super::period::Period;
use crate::labels;

/// Name of the Schedule on its runs.
pub const SCHEDULE_LABEL: &str = "openreg.io/schedule";

/// The name of a slot's run: `<schedule>-<yyyymmddhhmm>`, UTC, so that the hour that comes twice has two names.
pub fn run_name(schedule: &str, slot: Timestamp) -> String {
    format!("{schedule}-{}", slot.strftime("%Y%m%d%H%M"))
}

/// The slot as it stands in specs: RFC 3339, UTC, whole seconds.
pub fn slot_text(slot: Timestamp) -> String {
    slot.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The run's identity: of the tenant, the schedule and the slot, so that a restored backup makes no second one.
pub fn run_id(tenant: &str, schedule: &str, slot: Timestamp) -> Uuid {
    // A namespace's UID is a UUID; anything else is folded into one.
    let tenant = Uuid::parse_str(tenant).unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, tenant.as_bytes()));
    Uuid::new_v5(&tenant, format!("{schedule}/{}", slot_text(slot)).as_bytes())
}

fn run_period(period: &Period) -> RunPeriod {
    // With the zone's offset: a person reads the bank's own dates.
    let text = |z: &jiff::Zoned| {
        let printer = DateTimePrinter::new().precision(Some(0));
        printer.timestamp_with_offset_to_string(&z.timestamp(), z.offset())
    };
    RunPeriod {
        start: text(&period.start),
        end: text(&period.end),
    }
}

/// The run of a slot.
pub fn run(tenant: &str, namespace: &str, schedule: &str, spec: &ScheduleSpec, due: &Due) -> ReportRun {
    let mut labels = labels::base();
    labels.insert(labels::REPORT.to_owned(), spec.report_ref.clone());
    labels.insert(SCHEDULE_LABEL.to_owned(), schedule.to_owned());
    ReportRun {
        // No owner: deleting a Schedule keeps history.
        metadata: ObjectMeta {
            name: Some(run_name(schedule, due.slot)),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: ReportRunSpec {
            id: run_id(tenant, schedule, due.slot).to_string(),
            report_ref: spec.report_ref.clone(),
            version: spec.version.clone(),
            period: run_period(&due.period),
            parameters: spec.parameters.clone(),
            trigger: Trigger::Schedule,
            requested_by: None,
            mode: None::<Mode>,
            scheduled: Some(Scheduled {
                schedule: schedule.to_owned(),
                slot: slot_text(due.slot),
            }),
            cancelled: None,
            approvals: None,
        },
        status: None,
    }
}

/// Whether an existing run is the slot's own; what people add later (a cancellation, approvals) is not compared.
pub fn is_same(there: &ReportRunSpec, ours: &ReportRunSpec) -> bool {
    let core = |spec: &ReportRunSpec| ReportRunSpec {
        cancelled: None,
        approvals: None,
        ..spec.clone()
    };
    core(there) == core(ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::schedule::period::period;
    use jiff::tz::TimeZone;
    use openreg_crds::report_run::Cancelled;
    use serde_json::json;

    fn made(schedule: &str) -> ReportRun {
        let slot: Timestamp = "2026-03-30T16:30:00Z".parse().unwrap();
        let spec: ScheduleSpec = serde_json::from_value(json!({"reportRef": "trades", "cron": ["30 18 * * *"], "parameters": {"lei": "X"}})).unwrap();
        let period = period(slot, None, &TimeZone::get("Europe/Berlin").unwrap()).unwrap();
        run("6f1b0e3c-1111-4222-8333-444455556666", "acme", schedule, &spec, &Due { slot, period })
    }

    #[test]
    fn run_stands_for_its_slot() {
        let value = serde_json::to_value(made("trades-daily")).unwrap();
        assert_eq!(value["metadata"]["name"], "trades-daily-202603301630");
        assert_eq!(
            value["spec"],
            json!({
                "id": "REPLACED", "reportRef": "trades", "trigger": "Schedule", "parameters": {"lei": "X"},
                "period": {"start": "2026-03-29T00:00:00+01:00", "end": "2026-03-30T00:00:00+02:00"},
                "scheduled": {"schedule": "trades-daily", "slot": "2026-03-30T16:30:00Z"}
            })
            .as_object()
            .map(|o| {
                let mut o = o.clone();
                o["id"] = value["spec"]["id"].clone();
                serde_json::Value::Object(o)
            })
            .unwrap()
        );
        assert_eq!(json!(made("trades-daily")), json!(made("trades-daily")), "the same however often");
        assert_ne!(made("trades-daily").spec.id, made("trades-weekly").spec.id);
        assert!(value["metadata"].get("ownerReferences").is_none());
    }

    #[test]
    fn name_fits_at_the_longest() {
        let run = made(&"s".repeat(32));
        assert!(run.metadata.name.unwrap().len() <= 48);
        assert!(run.metadata.labels.unwrap().values().all(|v| v.len() <= 63));
    }

    #[test]
    fn cancelled_run_is_still_the_slots_own() {
        let ours = made("s").spec;
        let mut there = ours.clone();
        there.cancelled = Some(Cancelled {
            reason: "r".to_owned(),
            by: "b".to_owned(),
        });
        assert!(is_same(&there, &ours));
        there.report_ref = "other".to_owned();
        assert!(!is_same(&there, &ours));
    }
}
