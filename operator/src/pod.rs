//! The Job that carries a runner: limits, security context, mounts. Pure; the only place where a pod is spelled.
//!
//! Every pod meets the Pod Security Standard "restricted", has no token for the API server, a read-only root and one
//! bounded scratch directory. A Job never retries by itself: each retry is a new Job made by whoever decides.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, ObjectFieldSelector, PodSecurityContext, PodSpec,
    PodTemplateSpec, ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use openreg_plan::report::TERMINATION_PATH;

/// Name of the only container.
pub const CONTAINER: &str = "runner";

/// The directory of the plan; the file's name is the ConfigMap's key `plan.json`.
pub const PLAN_DIRECTORY: &str = "/plan";

/// The only directory in which a runner can write.
pub const SCRATCH_DIRECTORY: &str = "/scratch";

/// The user and group of the image; restricted pods may not be root.
const USER: i64 = 65_532;

/// The most CPUs of a Job, and what it gets when nobody asks for less.
pub const MAX_CPU: &str = "2";

/// The most memory of a Job, and what it gets when nobody asks for less.
pub const MAX_MEMORY: &str = "4Gi";

/// A Secret as files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretVolume {
    /// Name of the Secret.
    pub secret: String,
    /// The directory in which its keys are files, as the plan says.
    pub path: String,
}

/// One Job that carries a runner.
#[derive(Clone, Debug)]
pub struct RunnerJob {
    /// Its namespace.
    pub namespace: String,
    /// Its name, at most 63 characters.
    pub name: String,
    /// Labels of the Job and its pod, besides the ones that all have.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Job.
    pub annotations: BTreeMap<String, String>,
    /// Whose it is.
    pub owner: Option<OwnerReference>,
    /// The runner's image.
    pub image: String,
    /// `IfNotPresent`, `Always` or `Never`; absent: the cluster's default.
    pub pull_policy: Option<String>,
    /// Names of Secrets with which the image is pulled.
    pub pull_secrets: Vec<String>,
    /// Arguments of the runner, the subcommand first.
    pub args: Vec<String>,
    /// The ConfigMap with the key `plan.json`.
    pub plan: String,
    /// Secrets as files; two with the same path are mounted once.
    pub secrets: Vec<SecretVolume>,
    /// The limit in CPUs, such as `2`.
    pub cpu: String,
    /// The limit in memory, such as `4Gi`.
    pub memory: String,
    /// Bytes that may lie in the scratch directory.
    pub scratch_bytes: u64,
    /// The backstop: Kubernetes then deletes pod, message and log, so the runner's own timeout must come first.
    pub deadline: Duration,
    /// How long the runner has to stop after SIGTERM.
    pub grace: Duration,
    /// How long a finished Job stays when nobody deletes it.
    pub keep: Option<Duration>,
}

/// The Job as Kubernetes takes it.
pub fn runner_job(job: &RunnerJob) -> Job {
    let mut labels = crate::labels::base();
    labels.extend(job.labels.clone());
    Job {
        metadata: ObjectMeta {
            name: Some(job.name.clone()),
            namespace: Some(job.namespace.clone()),
            labels: Some(labels.clone()),
            annotations: (!job.annotations.is_empty()).then(|| job.annotations.clone()),
            owner_references: job.owner.clone().map(|o| vec![o]),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            active_deadline_seconds: Some(seconds(job.deadline)),
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            // A pod on a lost node must be gone before another may take its place.
            pod_replacement_policy: Some("Failed".to_owned()),
            ttl_seconds_after_finished: job.keep.map(|k| i32::try_from(k.as_secs()).unwrap_or(i32::MAX)),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(job)),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn pod(job: &RunnerJob) -> PodSpec {
    let mut secrets = job.secrets.clone();
    secrets.sort_by(|a, b| a.path.cmp(&b.path));
    secrets.dedup_by(|a, b| a.path == b.path);
    let mut volumes = vec![
        Volume {
            name: "plan".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: job.plan.clone(),
                default_mode: Some(0o444),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: "scratch".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                size_limit: Some(Quantity(job.scratch_bytes.to_string())),
                ..EmptyDirVolumeSource::default()
            }),
            ..Volume::default()
        },
    ];
    let mut mounts = vec![mount("plan", PLAN_DIRECTORY, true), mount("scratch", SCRATCH_DIRECTORY, false)];
    for (i, secret) in secrets.iter().enumerate() {
        let name = format!("secret-{i}");
        volumes.push(Volume {
            name: name.clone(),
            // Optional, so that the runner can say SecretMissing; a required one would leave the pod without a word.
            secret: Some(SecretVolumeSource {
                secret_name: Some(secret.secret.clone()),
                optional: Some(true),
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
        mounts.push(mount(&name, &secret.path, true));
    }
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        restart_policy: Some("Never".to_owned()),
        termination_grace_period_seconds: Some(seconds(job.grace)),
        image_pull_secrets: (!job.pull_secrets.is_empty()).then(|| {
            job.pull_secrets
                .iter()
                .map(|name| k8s_openapi::api::core::v1::LocalObjectReference { name: name.clone() })
                .collect()
        }),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        containers: vec![Container {
            name: CONTAINER.to_owned(),
            image: Some(job.image.clone()),
            image_pull_policy: job.pull_policy.clone(),
            args: Some(job.args.clone()),
            env: Some(vec![
                field_env("POD_UID", "metadata.uid"),
                field_env("POD_NAME", "metadata.name"),
                EnvVar {
                    name: "TMPDIR".to_owned(),
                    value: Some(SCRATCH_DIRECTORY.to_owned()),
                    value_from: None,
                },
            ]),
            resources: Some(ResourceRequirements {
                limits: Some(quantities(&job.cpu, &job.memory)),
                requests: Some(requests(&job.cpu, &job.memory)),
                ..ResourceRequirements::default()
            }),
            security_context: Some(SecurityContext {
                allow_privilege_escalation: Some(false),
                capabilities: Some(Capabilities {
                    drop: Some(vec!["ALL".to_owned()]),
                    add: None,
                }),
                privileged: Some(false),
                read_only_root_filesystem: Some(true),
                run_as_non_root: Some(true),
                ..SecurityContext::default()
            }),
            termination_message_path: Some(TERMINATION_PATH.to_owned()),
            // Never the log's end: the message is read as a RunReport or not at all.
            termination_message_policy: Some("File".to_owned()),
            volume_mounts: Some(mounts),
            working_dir: Some(SCRATCH_DIRECTORY.to_owned()),
            ..Container::default()
        }],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

fn field_env(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: path.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    }
}

fn quantities(cpu: &str, memory: &str) -> BTreeMap<String, Quantity> {
    [("cpu".to_owned(), Quantity(cpu.to_owned())), ("memory".to_owned(), Quantity(memory.to_owned()))].into()
}

/// Small requests: a runner waits for its database most of the time, and a request of the whole limit would leave no room
/// for a second pod on a two-core node. 128Mi is what a runner is promised to need at most.
fn requests(cpu_limit: &str, memory_limit: &str) -> BTreeMap<String, Quantity> {
    // A limit below one CPU is written in thousandths; 50m is below every limit that is not.
    let little = cpu_limit.strip_suffix('m').and_then(|m| m.parse::<u32>().ok()).is_some_and(|m| m < 50);
    let cpu = if little { cpu_limit } else { "50m" };
    let limit = openreg_parts::units::ByteSize::try_from(memory_limit.to_owned()).map_or(u64::MAX, |m| m.get());
    let memory = if limit < 128 << 20 { memory_limit } else { "128Mi" };
    quantities(cpu, memory)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        runner_job(&RunnerJob {
            namespace: "acme".to_owned(),
            name: "trades-g1".to_owned(),
            labels: [("openreg.io/run".to_owned(), "trades".to_owned())].into(),
            annotations: BTreeMap::new(),
            owner: None,
            image: "openreg-runner:1".to_owned(),
            pull_policy: None,
            pull_secrets: Vec::new(),
            args: vec!["generate".to_owned()],
            plan: "trades-plan".to_owned(),
            secrets: vec![
                SecretVolume {
                    secret: "db".to_owned(),
                    path: "/secrets/connector-trades".to_owned(),
                },
                SecretVolume {
                    secret: "db".to_owned(),
                    path: "/secrets/connector-trades".to_owned(),
                },
            ],
            cpu: MAX_CPU.to_owned(),
            memory: MAX_MEMORY.to_owned(),
            scratch_bytes: 1 << 30,
            deadline: Duration::from_secs(3900),
            grace: Duration::from_secs(30),
            keep: None,
        })
    }

    #[test]
    fn pod_is_restricted_and_bounded() {
        let value = serde_json::to_value(job()).unwrap();
        for (pointer, expected) in [
            ("/spec/backoffLimit", serde_json::json!(0)),
            ("/spec/activeDeadlineSeconds", serde_json::json!(3900)),
            ("/spec/template/spec/restartPolicy", serde_json::json!("Never")),
            ("/spec/template/spec/automountServiceAccountToken", serde_json::json!(false)),
            ("/spec/template/spec/securityContext/runAsNonRoot", serde_json::json!(true)),
            ("/spec/template/spec/securityContext/seccompProfile/type", serde_json::json!("RuntimeDefault")),
            (
                "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation",
                serde_json::json!(false),
            ),
            (
                "/spec/template/spec/containers/0/securityContext/readOnlyRootFilesystem",
                serde_json::json!(true),
            ),
            ("/spec/template/spec/containers/0/securityContext/capabilities/drop", serde_json::json!(["ALL"])),
            (
                "/spec/template/spec/containers/0/resources/limits",
                serde_json::json!({"cpu": "2", "memory": "4Gi"}),
            ),
            ("/spec/template/spec/containers/0/terminationMessagePolicy", serde_json::json!("File")),
            ("/spec/template/spec/volumes/1/emptyDir/sizeLimit", serde_json::json!("1073741824")),
            ("/spec/template/spec/volumes/2/secret/optional", serde_json::json!(true)),
            ("/spec/template/metadata/labels/app.kubernetes.io~1managed-by", serde_json::json!("openreg")),
            ("/spec/template/metadata/labels/openreg.io~1run", serde_json::json!("trades")),
        ] {
            assert_eq!(value.pointer(pointer), Some(&expected), "{pointer}");
        }
        assert_eq!(value.pointer("/spec/template/spec/volumes/3"), None, "one mount a path");
    }

    #[test]
    fn request_is_never_above_the_limit() {
        assert_eq!(requests("10m", "64Mi"), quantities("10m", "64Mi"));
        assert_eq!(requests("250m", "4Gi"), quantities("50m", "128Mi"));
        assert_eq!(requests("0.1", "4Gi"), quantities("50m", "128Mi"));
    }
}
