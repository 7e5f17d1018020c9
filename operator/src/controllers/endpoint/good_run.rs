//! Which endpoints a run has proved to work: what a probe would only say again. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use openreg_crds::common::condition;
use openreg_crds::report_run::DeliveryState;
use openreg_crds::{ReportRun, ReportVersion};

/// When the run sealed its manifest: it read from its connectors and wrote to the store.
pub fn sealed(run: &ReportRun) -> Option<Timestamp> {
    let status = run.status.as_ref()?;
    status.manifest.as_ref()?;
    // False too: rules that blocked the run have seen its rows.
    condition::find(&status.conditions, "Generated").map(|c| c.last_transition_time.0)
}

/// When the run read from that connector.
pub fn read(run: &ReportRun, connector: &str, versions: &[Arc<ReportVersion>]) -> Option<Timestamp> {
    let used = run.status.as_ref()?.report_version.as_ref()?;
    let reads = |v: &ReportVersion| v.spec.report.source.datasets.iter().any(|d| d.connector_ref == connector);
    // A Report that was deleted and made anew may have two contents of one version: then both must read from it.
    let mut contents = versions
        .iter()
        .filter(|v| v.spec.report_ref == run.spec.report_ref && &v.spec.report.version == used)
        .peekable();
    contents.peek()?;
    if contents.all(|v| reads(v)) { sealed(run) } else { None }
}

/// When the run delivered to that destination.
pub fn delivered(run: &ReportRun, destination: &str) -> Option<Timestamp> {
    let delivery = run.status.as_ref()?.deliveries.iter().find(|d| d.destination == destination)?;
    let at = delivery.finished_at.as_ref().map(|t| t.0);
    at.filter(|_| delivery.state == DeliveryState::Delivered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const SEALED: &str = "2026-03-02T18:31:00Z";
    const DELIVERED: &str = "2026-03-02T18:32:00Z";

    fn run(manifest: bool, state: &str, finished: Option<&str>) -> ReportRun {
        let manifest = if manifest {
            json!({"key": "k", "sha256": "a".repeat(64)})
        } else {
            Value::Null
        };
        serde_json::from_value(json!({
            "apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun", "metadata": {"name": "r"},
            "spec": {"id": "00000000-0000-0000-0000-000000000000", "reportRef": "trades", "trigger": "Manual", "period": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}},
            "status": {
                "reportVersion": "1.0.0", "manifest": manifest,
                "conditions": [{"type": "Generated", "status": "True", "reason": "Sealed", "message": "", "lastTransitionTime": SEALED}],
                "deliveries": [{"destination": "bafin", "state": state, "finishedAt": finished}]
            }
        }))
        .unwrap()
    }

    fn version(report: &str, number: &str, connector: &str) -> Arc<ReportVersion> {
        Arc::new(
            serde_json::from_value(json!({
                "apiVersion": "openreg.io/v1alpha1", "kind": "ReportVersion", "metadata": {"name": "v"},
                "spec": {"reportRef": report, "sha256": "a".repeat(64), "report": {
                    "version": number, "title": "t", "source": {"datasets": [{"name": "d", "connectorRef": connector, "query": "SELECT 1"}]},
                    "output": {"csv": {}}, "file": {"name": "x.csv"}
                }}
            }))
            .unwrap(),
        )
    }

    #[test]
    fn run_proves_what_it_went_through() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let good = run(true, "Delivered", Some(DELIVERED));
        let broken = run(false, "Delivering", None);
        assert_eq!((sealed(&good), sealed(&broken)), (at(SEALED), None));
        assert_eq!(delivered(&good, "bafin"), at(DELIVERED));
        assert_eq!(delivered(&good, "amf"), None);
        assert_eq!(delivered(&run(true, "NotDelivered", Some(DELIVERED)), "bafin"), None);
        assert_eq!(delivered(&run(true, "Unknown", Some(DELIVERED)), "bafin"), None);

        let own = version("trades", "1.0.0", "ledger");
        for (what, versions, expected) in [
            ("its version is gone", vec![], None),
            ("it reads from it", vec![Arc::clone(&own)], at(SEALED)),
            ("another report", vec![version("other", "1.0.0", "ledger")], None),
            ("another version", vec![version("trades", "1.1.0", "ledger")], None),
            ("another connector", vec![version("trades", "1.0.0", "positions")], None),
            ("which content it was is not known", vec![own, version("trades", "1.0.0", "positions")], None),
        ] {
            assert_eq!(read(&good, "ledger", &versions), expected, "{what}");
            assert_eq!(read(&broken, "ledger", &versions), None, "{what}");
        }
    }
}
