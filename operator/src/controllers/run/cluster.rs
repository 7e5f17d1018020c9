//! The calls that this controller makes to the API server, behind a trait so that they can be played in memory. It must not
//! decide anything: errors come back as what they mean, nothing is tried again here.

use std::future::Future;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, Client, ResourceExt};
use openreg_crds::{RECORDED_FINALIZER, ReportRun};

use crate::read::{self, ReadJob, ReadPod};

/// Why a call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// An object of that name is there.
    #[error("could not create {0}: it exists already")]
    Exists(String),
    /// The object changed since it was read, or is another one of that name.
    #[error("could not change {0}: it was changed meanwhile")]
    Conflict(String, #[source] Option<kube::Error>),
    /// The object is not there.
    #[error("could not find {0}")]
    NotFound(String),
    /// The API server forbids it or holds it for wrong.
    #[error("could not write {object}: {message}")]
    Refused {
        /// Kind and name.
        object: String,
        /// The API server's words.
        message: String,
    },
    /// The API server could not be asked, or did not answer well.
    #[error("could not reach the API server about {object}")]
    Unreachable {
        /// Kind and name.
        object: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The result of a call.
pub type Answer<T> = Result<T, ClusterError>;

/// The calls that this controller makes. Deletions name a UID, so that they never hit another object of the same name.
pub trait Cluster: Send + Sync {
    /// Creates a ConfigMap.
    fn create_config_map(&self, object: &ConfigMap) -> impl Future<Output = Answer<ConfigMap>> + Send;
    /// Reads a ConfigMap.
    fn get_config_map(&self, namespace: &str, name: &str) -> impl Future<Output = Answer<Option<ConfigMap>>> + Send;
    /// Deletes a ConfigMap.
    fn delete_config_map(&self, namespace: &str, name: &str, uid: &str) -> impl Future<Output = Answer<()>> + Send;
    /// Creates a Job.
    fn create_job(&self, object: &Job) -> impl Future<Output = Answer<Job>> + Send;
    /// Reads a Job.
    fn get_job(&self, namespace: &str, name: &str) -> impl Future<Output = Answer<Option<Job>>> + Send;
    /// Deletes a Job, and in the background its pods.
    fn delete_job(&self, namespace: &str, name: &str, uid: &str) -> impl Future<Output = Answer<()>> + Send;
    /// Deletes a pod gracefully: its program gets SIGTERM.
    fn delete_pod(&self, namespace: &str, name: &str, uid: &str) -> impl Future<Output = Answer<()>> + Send;
    /// Lists the pods of a Job.
    fn list_pods(&self, namespace: &str, job_uid: &str) -> impl Future<Output = Answer<Vec<Pod>>> + Send;
    /// Lists the Events about an object.
    fn list_events(&self, namespace: &str, uid: &str) -> impl Future<Output = Answer<Vec<Event>>> + Send;
    /// Adds the finalizer that holds a run until its history is stored.
    fn add_finalizer(&self, run: &ReportRun) -> impl Future<Output = Answer<ReportRun>> + Send;
    /// Writes the status of a run, if it still is as it was read.
    fn write_status(&self, run: &ReportRun) -> impl Future<Output = Answer<ReportRun>> + Send;
}

/// The real API server.
#[derive(Clone)]
pub struct Kube(pub Client);

fn meaning(object: String, error: kube::Error) -> ClusterError {
    match error {
        kube::Error::Api(status) if status.is_already_exists() => ClusterError::Exists(object),
        kube::Error::Api(status) if status.is_conflict() => ClusterError::Conflict(object, Some(kube::Error::Api(status))),
        kube::Error::Api(status) if status.is_not_found() => ClusterError::NotFound(object),
        kube::Error::Api(status) if is_refusal(status.code) => ClusterError::Refused {
            object,
            message: status.message.clone(),
        },
        other => ClusterError::Unreachable {
            object,
            source: Box::new(other),
        },
    }
}

/// Whether an answer means that the same request will be refused again until somebody does something. An admission webhook
/// that gives no code of its own refuses with 400.
fn is_refusal(code: u16) -> bool {
    matches!(code, 400 | 403 | 413 | 422)
}

fn gone_is_fine(answer: Answer<()>) -> Answer<()> {
    match answer {
        // Deleted already, or another object of that name, which is none of ours.
        Err(ClusterError::NotFound(_) | ClusterError::Conflict(..)) => Ok(()),
        other => other,
    }
}

fn that_one(uid: &str) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    }
}

impl Cluster for Kube {
    async fn create_config_map(&self, object: &ConfigMap) -> Answer<ConfigMap> {
        let api = Api::<ConfigMap>::namespaced(self.0.clone(), &object.namespace().unwrap_or_default());
        api.create(&PostParams::default(), object)
            .await
            .map_err(|e| meaning(format!("ConfigMap {}", object.name_any()), e))
    }

    async fn get_config_map(&self, namespace: &str, name: &str) -> Answer<Option<ConfigMap>> {
        Api::<ConfigMap>::namespaced(self.0.clone(), namespace)
            .get_opt(name)
            .await
            .map_err(|e| meaning(format!("ConfigMap {name}"), e))
    }

    async fn delete_config_map(&self, namespace: &str, name: &str, uid: &str) -> Answer<()> {
        let answer = read::delete::<ConfigMap>(&self.0, namespace, name, &that_one(uid)).await;
        gone_is_fine(answer.map_err(|e| meaning(format!("ConfigMap {name}"), e)))
    }

    async fn create_job(&self, object: &Job) -> Answer<Job> {
        read::create_job(&self.0, object)
            .await
            .map_err(|e| meaning(format!("Job {}", object.name_any()), e))
    }

    async fn get_job(&self, namespace: &str, name: &str) -> Answer<Option<Job>> {
        let answer = Api::<ReadJob>::namespaced(self.0.clone(), namespace).get_opt(name).await;
        answer.map(|found| found.map(Job::from)).map_err(|e| meaning(format!("Job {name}"), e))
    }

    async fn delete_job(&self, namespace: &str, name: &str, uid: &str) -> Answer<()> {
        let answer = read::delete::<Job>(&self.0, namespace, name, &that_one(uid)).await;
        gone_is_fine(answer.map_err(|e| meaning(format!("Job {name}"), e)))
    }

    async fn delete_pod(&self, namespace: &str, name: &str, uid: &str) -> Answer<()> {
        let answer = read::delete::<Pod>(&self.0, namespace, name, &that_one(uid)).await;
        gone_is_fine(answer.map_err(|e| meaning(format!("Pod {name}"), e)))
    }

    async fn list_pods(&self, namespace: &str, job_uid: &str) -> Answer<Vec<Pod>> {
        let params = ListParams::default().labels(&format!("batch.kubernetes.io/controller-uid={job_uid}"));
        let answer = Api::<ReadPod>::namespaced(self.0.clone(), namespace).list(&params).await;
        answer
            .map(|list| list.items.into_iter().map(Pod::from).collect())
            .map_err(|e| meaning(format!("the pods of Job {job_uid}"), e))
    }

    async fn list_events(&self, namespace: &str, uid: &str) -> Answer<Vec<Event>> {
        let params = ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(50);
        let answer = Api::<Event>::namespaced(self.0.clone(), namespace).list(&params).await;
        answer.map(|list| list.items).map_err(|e| meaning(format!("the Events about {uid}"), e))
    }

    async fn add_finalizer(&self, run: &ReportRun) -> Answer<ReportRun> {
        let mut finalizers = run.finalizers().to_vec();
        finalizers.push(RECORDED_FINALIZER.to_owned());
        // With the resourceVersion, because a merge patch replaces the whole list.
        let patch = serde_json::json!({"metadata": {"resourceVersion": run.metadata.resource_version, "finalizers": finalizers}});
        let api = Api::<ReportRun>::namespaced(self.0.clone(), &run.namespace().unwrap_or_default());
        api.patch(&run.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .map_err(|e| meaning(format!("ReportRun {}", run.name_any()), e))
    }

    async fn write_status(&self, run: &ReportRun) -> Answer<ReportRun> {
        let api = Api::<ReportRun>::namespaced(self.0.clone(), &run.namespace().unwrap_or_default());
        api.replace_status(&run.name_any(), &PostParams::default(), run)
            .await
            .map_err(|e| meaning(format!("ReportRun {}", run.name_any()), e))
    }
}

#[cfg(test)]
mod tests {
    use super::is_refusal;

    #[test]
    fn refusal_is_told_from_what_heals_by_itself() {
        for code in [400, 403, 413, 422] {
            assert!(is_refusal(code), "{code}");
        }
        // A token that is renewed, a limit on requests, a server that starts.
        for code in [401, 404, 408, 409, 410, 429, 500, 502, 503, 504] {
            assert!(!is_refusal(code), "{code}");
        }
    }
}
