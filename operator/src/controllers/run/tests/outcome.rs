//! What the end of a Job means, case by case.

use serde_json::json;

use super::super::facts::{SeenPod, Work};
use super::super::outcome::{Verdict, judge};
use super::*;

/// The verdict in one word: `Generated`, or `Config/OutOfMemory`.
pub(super) fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Failed(f) => format!("{}/{}", f.class, f.code),
        other => format!("{other:?}"),
    }
}

struct Case {
    name: &'static str,
    work: Work,
    job: Option<(&'static str, &'static str)>,
    pods: Vec<SeenPod>,
    verdict: &'static str,
    seen: bool,
    certain: bool,
}

fn case(
    name: &'static str,
    work: Work,
    job: Option<(&'static str, &'static str)>,
    pods: Vec<SeenPod>,
    verdict: &'static str,
    seen: bool,
    certain: bool,
) -> Case {
    Case {
        name,
        work,
        job,
        pods,
        verdict,
        seen,
        certain,
    }
}

pub(super) fn done(code: i32, reason: &str, message: &str) -> SeenPod {
    there(pod("p", "j", exited(code, reason, message), json!({})))
}

#[test]
fn each_end_of_a_generate_job_has_its_meaning() {
    const G: Work = Work::Generate;
    const OVER: Option<(&str, &str)> = Some(("Failed", "BackoffLimitExceeded"));
    let waiting = json!({"waiting": {"reason": "ContainerCreating"}});
    let disrupted = |reason: &str| json!({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason}]});
    let cases = [
        case(
            "report",
            G,
            Some(("Complete", "")),
            vec![done(0, "Completed", &generated())],
            "Generated",
            true,
            true,
        ),
        case(
            "nothing to report",
            G,
            Some(("Complete", "")),
            vec![done(0, "Completed", &sealed_empty("Empty"))],
            "Empty",
            true,
            true,
        ),
        case(
            "blocked by rules",
            G,
            Some(("Complete", "")),
            vec![done(0, "Completed", &sealed_empty("Blocked"))],
            "Blocked",
            true,
            true,
        ),
        case(
            "failed with a report",
            G,
            OVER,
            vec![done(20, "Error", &failed("Transient", "ConnectTimeout", None))],
            "Transient/ConnectTimeout",
            true,
            true,
        ),
        case(
            "report wins over the deadline",
            G,
            Some(("Failed", "DeadlineExceeded")),
            vec![gone(pod("p", "j", exited(0, "Completed", &generated()), json!({})))],
            "Generated",
            true,
            true,
        ),
        case(
            "two pods, one got through",
            G,
            OVER,
            vec![done(20, "Error", &failed("Transient", "X", None)), done(0, "Completed", &generated())],
            "Generated",
            true,
            true,
        ),
        case(
            "claims files and names no manifest",
            G,
            Some(("Complete", "")),
            vec![done(
                0,
                "Completed",
                r#"{"version":1,"outcome":"Generated","usage":{"durationMs":1,"vmHwmBytes":1,"cgroupPeakBytes":0}}"#,
            )],
            "Internal/ReportUnexpected",
            true,
            true,
        ),
        case(
            "names a manifest that no status can hold",
            G,
            Some(("Complete", "")),
            vec![done(0, "Completed", &generated().replace("runs/x/manifest.json", &"k".repeat(3000)))],
            "Internal/ReportUnexpected",
            true,
            true,
        ),
        case(
            "says what only a delivery may say",
            G,
            Some(("Complete", "")),
            vec![done(0, "Completed", &delivery("Delivered", true, 1))],
            "Internal/ReportUnexpected",
            true,
            true,
        ),
        case(
            "another layout",
            G,
            Some(("Complete", "")),
            vec![done(0, "Completed", r#"{"version":2,"anything":[]}"#)],
            "Internal/ReportVersion",
            true,
            true,
        ),
        case(
            "garbage",
            G,
            OVER,
            vec![done(1, "Error", "thread 'main' panicked")],
            "Internal/ReportUnreadable",
            true,
            true,
        ),
        case(
            "JSON of another kind",
            G,
            OVER,
            vec![done(1, "Error", r#"{"version":1,"outcome":"Lost"}"#)],
            "Internal/ReportUnreadable",
            true,
            true,
        ),
        case("out of memory", G, OVER, vec![done(137, "OOMKilled", "")], "Config/OutOfMemory", true, true),
        case(
            "out of memory of a child only, with a report",
            G,
            OVER,
            vec![done(20, "OOMKilled", &failed("Transient", "X", None))],
            "Transient/X",
            true,
            true,
        ),
        case("killed", G, OVER, vec![done(137, "Error", "")], "Transient/Killed", true, true),
        case("exit code of a class", G, OVER, vec![done(10, "Error", "")], "Config/NoReport", true, true),
        case("exit code of data", G, OVER, vec![done(11, "Error", " \n")], "Data/NoReport", true, true),
        case("unknown exit code", G, OVER, vec![done(101, "Error", "")], "Internal/Crashed", true, true),
        case(
            "ended well without a word",
            G,
            Some(("Complete", "")),
            vec![done(0, "Completed", "")],
            "Internal/NoReport",
            true,
            true,
        ),
        case(
            "not executable",
            G,
            OVER,
            vec![done(128, "StartError", "exec: no such file")],
            "Config/CannotRun",
            true,
            true,
        ),
        case(
            "evicted",
            G,
            OVER,
            vec![there(pod(
                "p",
                "j",
                exited(137, "Error", ""),
                json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
            ))],
            "Transient/Evicted",
            true,
            true,
        ),
        case(
            "preempted",
            G,
            OVER,
            vec![there(pod("p", "j", exited(143, "Error", ""), disrupted("PreemptionByScheduler")))],
            "Transient/Preempted",
            true,
            true,
        ),
        case(
            "node lost",
            G,
            OVER,
            vec![gone(pod("p", "j", running(), disrupted("DeletionByPodGC")))],
            "Transient/NodeLost",
            false,
            true,
        ),
        case(
            "refused by the kubelet",
            G,
            OVER,
            vec![there(pod(
                "p",
                "j",
                waiting.clone(),
                json!({"phase": "Failed", "reason": "OutOfcpu", "message": "not enough"}),
            ))],
            "Transient/OutOfcpu",
            true,
            true,
        ),
        case(
            "past the deadline",
            G,
            Some(("Failed", "DeadlineExceeded")),
            vec![],
            "Config/TimedOut",
            false,
            true,
        ),
        case("job failed, no pod known", G, OVER, vec![], "Transient/PodLost", false, true),
        case("job gone", G, None, vec![], "Transient/JobLost", false, true),
        case(
            "job gone, its pod was seen to end",
            G,
            None,
            vec![gone(pod("p", "j", exited(0, "Completed", &generated()), json!({})))],
            "Generated",
            true,
            true,
        ),
    ];
    check(cases.into());
}

#[test]
fn each_end_of_a_deliver_job_has_its_meaning() {
    const D: Work = Work::Deliver(0);
    const OVER: Option<(&str, &str)> = Some(("Failed", "BackoffLimitExceeded"));
    let disrupted = |reason: &str| json!({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason}]});
    let cases = [
        case(
            "delivered",
            D,
            Some(("Complete", "")),
            vec![done(0, "Completed", &delivery("Delivered", true, 1))],
            "Delivered",
            true,
            true,
        ),
        case(
            "delivered without a receipt",
            D,
            Some(("Complete", "")),
            vec![done(0, "Completed", &delivery("Delivered", true, 0))],
            "Internal/ReportUnexpected",
            true,
            false,
        ),
        case(
            "unknown",
            D,
            OVER,
            vec![done(20, "Error", &delivery("Unknown", true, 0))],
            "Unknown",
            true,
            true,
        ),
        case(
            "told to stop",
            D,
            OVER,
            vec![done(143, "Error", &delivery("Cancelled", true, 0))],
            "Cancelled",
            true,
            true,
        ),
        case(
            "refused",
            D,
            OVER,
            vec![done(10, "Error", &failed("Config", "HostKeyChanged", Some(false)))],
            "Config/HostKeyChanged",
            true,
            true,
        ),
        case(
            "out of memory: what it sent is not known",
            D,
            OVER,
            vec![done(137, "OOMKilled", "")],
            "Config/OutOfMemory",
            true,
            false,
        ),
        case(
            "killed: its end was seen",
            D,
            OVER,
            vec![done(137, "Error", "")],
            "Transient/Killed",
            true,
            false,
        ),
        case(
            "node lost: it may still be sending",
            D,
            OVER,
            vec![gone(pod("p", "j", running(), disrupted("DeletionByPodGC")))],
            "Transient/NodeLost",
            false,
            false,
        ),
        case(
            "two pods: one was refused, and the other left no words",
            D,
            OVER,
            vec![
                done(20, "Error", &failed("Transient", "ClaimHeld", Some(false))),
                there(pod("q", "j", exited(137, "OOMKilled", ""), json!({}))),
            ],
            "Transient/ClaimHeld",
            true,
            false,
        ),
        case(
            "two pods: one failed before it sent anything, and the other never ran",
            D,
            OVER,
            vec![
                done(20, "Error", &failed("Transient", "ConnectTimeout", Some(false))),
                there(pod("q", "j", exited(128, "StartError", ""), json!({}))),
            ],
            "Transient/ConnectTimeout",
            true,
            true,
        ),
        case(
            "two pods: one was told to stop, and the other is gone without a word",
            D,
            OVER,
            vec![done(143, "Error", &delivery("Cancelled", false, 0)), gone(pod("q", "j", running(), json!({})))],
            "Cancelled",
            true,
            false,
        ),
        case(
            "two pods: what is settled stays settled",
            D,
            OVER,
            vec![
                done(0, "Completed", &delivery("Delivered", true, 1)),
                there(pod("q", "j", exited(137, "OOMKilled", ""), json!({}))),
            ],
            "Delivered",
            true,
            true,
        ),
        case(
            "pod vanished, and the Job saw it end",
            D,
            OVER,
            vec![gone(pod("p", "j", running(), json!({})))],
            "Transient/PodLost",
            true,
            false,
        ),
        case(
            "pod vanished with its Job",
            D,
            None,
            vec![gone(pod("p", "j", running(), json!({})))],
            "Transient/JobLost",
            false,
            false,
        ),
        case("job gone, no pod known", D, None, vec![], "Transient/JobLost", false, false),
        case("job failed, no pod known", D, OVER, vec![], "Transient/PodLost", false, false),
        case(
            "refused by the kubelet: nothing was sent",
            D,
            OVER,
            vec![there(pod("p", "j", json!({"waiting": {}}), json!({"phase": "Failed", "reason": "OutOfcpu"})))],
            "Transient/OutOfcpu",
            true,
            true,
        ),
        case(
            "past the deadline",
            D,
            Some(("Failed", "DeadlineExceeded")),
            vec![],
            "Config/TimedOut",
            false,
            false,
        ),
    ];
    check(cases.into());
}

fn check(cases: Vec<Case>) {
    for case in cases {
        let job = case.job.map(|(condition, reason)| job("x", "j", condition, reason));
        let end = judge(case.work, job.as_ref(), &case.pods);
        assert_eq!(
            (word(&end.verdict).as_str(), end.seen, end.certain),
            (case.verdict, case.seen, case.certain),
            "{}",
            case.name
        );
        assert!(end.report.is_some() || matches!(end.verdict, Verdict::Failed(_)), "{}", case.name);
        for pod in &case.pods {
            let listed = end.pods.contains(&pod.pod.metadata.uid.clone().unwrap());
            // A pod counts as ended only when its end, or its Job's, was seen.
            assert!(!listed || end.seen || !pod.gone, "{}", case.name);
        }
    }
}

#[test]
fn texts_that_do_not_fit_the_schema_are_cut() {
    let long = failed("Config", &"X".repeat(300), None).replace("it went wrong", &"ä".repeat(3000));
    let end = judge(Work::Generate, Some(&job("x", "j", "Failed", "")), &[done(10, "Error", &long)]);
    let Verdict::Failed(f) = end.verdict else { panic!("{:?}", end.verdict) };
    assert!(f.code.len() <= 64 && f.message.chars().count() <= 1024);
}
