//! What came of a job, as the termination message and the exit code say it; must not decide anything else.

use std::path::Path;
use std::time::Instant;

use openreg_plan::exit;
use openreg_plan::report::{Delivery, Outcome, RunReport, SealedManifest, Stage, Totals, Usage};

use crate::stage::{StageError, Stop};

/// What a job did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What came of it.
    pub outcome: Outcome,
    /// Why it failed.
    pub failure: Option<StageError>,
    /// The sealed manifest, if there is one.
    pub manifest: Option<SealedManifest>,
    /// Rows and violations.
    pub totals: Option<Totals>,
    /// What a deliver Job did.
    pub delivery: Option<Delivery>,
}

impl Done {
    /// A job of which there is nothing more to say.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            failure: None,
            manifest: None,
            totals: None,
            delivery: None,
        }
    }

    /// A job that panicked in `stage`. In a delivery nobody knows how far it had come, so nothing is ruled out.
    pub fn panicked(stage: Stage) -> Self {
        Self {
            delivery: (stage == Stage::Deliver).then_some(Delivery {
                begun: true,
                receipts: 0,
                unsettled: true,
                remote: None,
                receipt_sha256: None,
            }),
            ..StageError::internal(stage, "the runner panicked").into()
        }
    }
}

impl From<Stop> for Done {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Cancelled => Self::new(Outcome::Cancelled),
            Stop::Failed(error) => error.into(),
        }
    }
}

impl From<StageError> for Done {
    fn from(error: StageError) -> Self {
        Self {
            failure: Some(error),
            ..Self::new(Outcome::Failed)
        }
    }
}

/// The exit code of a process that ended because of SIGTERM, as a shell shows it; not a class of its own.
const TERMINATED: i32 = 128 + 15;

/// The report of a job that began at `started`, and its exit code.
pub fn report(done: &Done, started: Instant) -> (RunReport, i32) {
    let code = match (done.outcome, &done.failure) {
        (Outcome::Cancelled, _) => TERMINATED,
        (_, Some(error)) => exit::code(error.class),
        _ => exit::OK,
    };
    let report = RunReport {
        version: 1,
        outcome: done.outcome,
        failure: done.failure.as_ref().map(StageError::failure),
        manifest: done.manifest.clone(),
        totals: done.totals,
        delivery: done.delivery.clone(),
        usage: usage(started),
    };
    (report, code)
}

/// Leaves the report where Kubernetes picks it up. `path` is a file that the kubelet made; on a laptop it is created.
pub fn leave(report: &RunReport, path: &Path) -> std::io::Result<()> {
    std::fs::write(path, report.to_json())
}

/// What this process used since `started`.
pub fn usage(started: Instant) -> Usage {
    Usage {
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        vm_hwm_bytes: vm_hwm().unwrap_or(0),
        cgroup_peak_bytes: cgroup_peak().unwrap_or(0),
    }
}

/// Peak resident memory of this process, from proc(5).
fn vm_hwm() -> Option<u64> {
    kib_field(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

fn kib_field(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Peak of the control group: version 2, else version 1.
fn cgroup_peak() -> Option<u64> {
    ["/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use openreg_parts::error::Class;

    use super::*;

    #[test]
    fn memory_is_read_from_proc() {
        assert_eq!(kib_field("Name:\tx\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n", "VmHWM:"), Some(12345 * 1024));
        assert_eq!(kib_field("VmHWM:\t many kB\n", "VmHWM:"), None);
        assert!(usage(Instant::now()).vm_hwm_bytes > 0);
    }

    #[test]
    fn each_class_has_its_exit_code() {
        for (class, code) in [(Class::Config, 10), (Class::Data, 11), (Class::Transient, 20), (Class::Internal, 30)] {
            assert_eq!(report(&StageError::plain(Stage::Read, class, "X", "x").into(), Instant::now()).1, code);
        }
        assert_eq!(report(&Stop::Cancelled.into(), Instant::now()).1, 143);
        assert_eq!(report(&Done::new(Outcome::Blocked), Instant::now()).1, 0);
    }

    #[test]
    fn a_panic_rules_nothing_out() {
        for (stage, doubt) in [(Stage::Read, None), (Stage::Probe, None), (Stage::Deliver, Some((true, true)))] {
            let (report, code) = report(&Done::panicked(stage), Instant::now());
            assert_eq!((report.outcome, code), (Outcome::Failed, 30));
            assert_eq!(report.delivery.map(|d| (d.begun, d.unsettled)), doubt, "{stage:?}");
        }
    }

    #[test]
    fn the_message_fits_a_termination_message() {
        let long = StageError::plain(Stage::Read, Class::Data, "X", "ä\"\n".repeat(2000)).with_hint("\u{1}".repeat(3000));
        let (report, _) = report(&long.into(), Instant::now());
        // Kubernetes keeps 4096 bytes of a termination message.
        assert!(report.to_json().len() <= 4096, "{}", report.to_json().len());
    }
}
