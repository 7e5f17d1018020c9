//! Why a pod has not started: the exact reason, from the pod, else from Events about the Job. Pure. Kubernetes alone would
//! wait for ever.

use k8s_openapi::api::core::v1::{Event, Pod};
use openreg_crds::report_run::RunFailure;
use openreg_parts::error::Class;

use super::outcome::failure;

const STAGE: &str = "Start";

/// Why nothing has started `seconds` after the Job was made.
pub fn reason(pods: &[&Pod], events: &[Event], seconds: u64) -> RunFailure {
    match pods.iter().find_map(|pod| of_pod(pod)) {
        Some(found) => found,
        None => of_events(events, !pods.is_empty()).unwrap_or_else(|| {
            let what = if pods.is_empty() { "no pod was made" } else { "the pod did not start" };
            let code = if pods.is_empty() { "PodNotCreated" } else { "PodNotStarted" };
            failure(
                STAGE,
                Class::Transient,
                code,
                format!("{what} within {seconds} s"),
                Some("look at the Job's and the pod's events; raise spec.execution.startupDeadline of the Report if the node is only slow"),
            )
        }),
    }
}

/// Whether a code stands for a Job that had made no pod at all.
pub fn is_without_pod(code: &str) -> bool {
    matches!(
        code,
        "QuotaExceeded" | "PodSecurityViolated" | "ServiceAccountMissing" | "PodForbidden" | "PodNotCreated"
    )
}

/// Whether Events are needed to know why: the pods do not say it themselves.
pub fn needs_events(pods: &[&Pod]) -> bool {
    pods.iter().all(|pod| of_pod(pod).is_none())
}

fn of_pod(pod: &Pod) -> Option<RunFailure> {
    let status = pod.status.as_ref()?;
    if let Some(c) = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled" && c.status == "False") {
        let reason = c.reason.as_deref().unwrap_or("Unschedulable");
        let message = c.message.as_deref().unwrap_or("the scheduler found no node");
        return Some(failure(
            STAGE,
            Class::Transient,
            reason,
            format!("could not place the pod: {message}"),
            Some("free resources or add a node; the run is tried again"),
        ));
    }
    let waiting = status
        .container_statuses
        .iter()
        .flatten()
        .find_map(|c| Some((c, c.state.as_ref()?.waiting.as_ref()?)));
    let (container, waiting) = waiting?;
    let message = waiting.message.as_deref().unwrap_or("no message");
    let reason = waiting.reason.as_deref()?;
    let hint = match reason {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" | "RegistryUnavailable" => {
            return Some(failure(
                STAGE,
                Class::Config,
                // One code, whichever of its words the kubelet shows at that moment.
                "ImagePullFailed",
                format!("could not get image {} ({reason}): {message}", container.image),
                Some("check the name of the runner's image (OPENREG_RUNNER_IMAGE), and that the node can pull it"),
            ));
        }
        "CreateContainerConfigError" => "a Secret, a ConfigMap or a setting that the pod names is missing or wrong",
        "CreateContainerError" | "RunContainerError" | "CrashLoopBackOff" => "look at the pod's events: the container cannot be made on this node",
        _ => return None,
    };
    Some(failure(
        STAGE,
        Class::Config,
        reason,
        format!("could not start the container: {message}"),
        Some(hint),
    ))
}

fn of_events(events: &[Event], has_pod: bool) -> Option<RunFailure> {
    // The newest says what is still wrong.
    let newest = |reasons: &[&str]| {
        let matching = events.iter().filter(|e| e.reason.as_deref().is_some_and(|r| reasons.contains(&r)));
        matching.max_by_key(|e| {
            e.last_timestamp
                .as_ref()
                .map(|t| t.0)
                .or(e.event_time.as_ref().map(|t| t.0))
                .or(e.first_timestamp.as_ref().map(|t| t.0))
        })
    };
    if has_pod {
        let event = newest(&["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "Failed"])?;
        let message = event.message.as_deref().unwrap_or_default();
        let missing = message.contains("not found");
        let (class, code, hint) = match event.reason.as_deref() {
            Some("FailedMount") if missing && message.contains("secret") => {
                (Class::Config, "SecretMissing", "create the Secret in the report's namespace, then run again")
            }
            Some("FailedMount") if missing => (Class::Config, "VolumeMissing", "an object that the pod mounts was deleted: run again"),
            Some(reason) => (
                Class::Transient,
                if reason == "Failed" { "PodNotStarted" } else { reason },
                "look at the node: the run is tried again",
            ),
            None => return None,
        };
        return Some(failure(STAGE, class, code, format!("could not start the pod: {message}"), Some(hint)));
    }
    let event = newest(&["FailedCreate"])?;
    let message = event.message.as_deref().unwrap_or_default();
    let (class, code, hint) = if message.contains("exceeded quota") || message.contains("failed quota") {
        (
            Class::Config,
            "QuotaExceeded",
            "raise the namespace's ResourceQuota, or lower spec.execution of the Report",
        )
    } else if message.contains("violates PodSecurity") {
        (
            Class::Config,
            "PodSecurityViolated",
            "runner pods meet the standard restricted: check the namespace's pod-security labels and other admission rules",
        )
    } else if message.contains("serviceaccount") && message.contains("not found") {
        (Class::Config, "ServiceAccountMissing", "the namespace has no service account named default")
    } else if message.contains("is forbidden") || message.contains("denied") || message.contains("is invalid") {
        (
            Class::Config,
            "PodForbidden",
            "an admission rule or a LimitRange of the namespace refuses the pod: the message says which",
        )
    } else {
        (Class::Transient, "PodNotCreated", "the run is tried again")
    };
    Some(failure(STAGE, class, code, format!("could not make the pod: {message}"), Some(hint)))
}
