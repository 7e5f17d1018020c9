//! How objects come from the API server: unparsed first, so that one that does not parse stops nobody else, and Jobs and pods
//! only as far as they are read. It must not decide anything.
//!
//! Why not the generated types at once: the spec of a pod is nine tenths of it and nobody reads it back, and the compiler
//! would make the whole parser of it again for each way in which it comes (watch, list, answer to a call).

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DeleteParams, PostParams};
use kube::core::{DynamicResourceScope, Request};
use kube::{Client, Resource, ResourceExt};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An object of any kind, of which only the metadata are understood.
#[derive(Clone, Debug)]
pub struct Raw {
    metadata: ObjectMeta,
    /// All of it, metadata included.
    pub value: Value,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let metadata = value.get("metadata").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let metadata = serde_json::from_value(metadata).map_err(D::Error::custom)?;
        Ok(Self { metadata, value })
    }
}

impl Resource for Raw {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        kind.kind.as_str().into()
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        kind.group.as_str().into()
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        kind.version.as_str().into()
    }

    fn api_version(kind: &ApiResource) -> Cow<'_, str> {
        kind.api_version.as_str().into()
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        kind.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// A Job without its spec.
#[derive(Clone, Debug, Deserialize)]
pub struct ReadJob {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    status: Option<JobStatus>,
}

/// A pod without its spec, but for the name of its node.
#[derive(Clone, Debug, Deserialize)]
pub struct ReadPod {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Option<Place>,
    #[serde(default)]
    status: Option<PodStatus>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    #[serde(default)]
    node_name: Option<String>,
}

impl From<ReadJob> for Job {
    fn from(read: ReadJob) -> Self {
        Self {
            metadata: read.metadata,
            spec: None,
            status: read.status,
        }
    }
}

impl From<ReadPod> for Pod {
    fn from(read: ReadPod) -> Self {
        Self {
            metadata: read.metadata,
            spec: read.spec.map(|place| PodSpec {
                node_name: place.node_name,
                ..PodSpec::default()
            }),
            status: read.status,
        }
    }
}

macro_rules! reads {
    ($($read:ty: $kind:ty),*) => {$(
        impl Resource for $read {
            type DynamicType = ();
            type Scope = NamespaceResourceScope;

            fn kind(_: &()) -> Cow<'_, str> {
                <$kind as Resource>::kind(&())
            }

            fn group(_: &()) -> Cow<'_, str> {
                <$kind as Resource>::group(&())
            }

            fn version(_: &()) -> Cow<'_, str> {
                <$kind as Resource>::version(&())
            }

            fn plural(_: &()) -> Cow<'_, str> {
                <$kind as Resource>::plural(&())
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )*};
}
reads!(ReadJob: Job, ReadPod: Pod);

/// A Job out of its JSON.
pub fn job(value: Value) -> serde_json::Result<Job> {
    serde_json::from_value::<ReadJob>(value).map(Job::from)
}

/// A pod out of its JSON.
pub fn pod(value: Value) -> serde_json::Result<Pod> {
    serde_json::from_value::<ReadPod>(value).map(Pod::from)
}

/// Creates a Job; what comes back has no spec.
pub async fn create_job(client: &Client, job: &Job) -> kube::Result<Job> {
    let body = serde_json::to_vec(job).map_err(kube::Error::SerdeError)?;
    let request = Request::new(Job::url_path(&(), job.namespace().as_deref())).create(&PostParams::default(), body);
    let request = request.map_err(kube::Error::BuildRequest)?;
    client.request::<ReadJob>(request).await.map(Job::from)
}

/// Deletes an object; what the API server answers to that is not read.
pub async fn delete<K: Resource<DynamicType = ()>>(client: &Client, namespace: &str, name: &str, params: &DeleteParams) -> kube::Result<()> {
    let request = Request::new(K::url_path(&(), Some(namespace))).delete(name, params);
    client.request_text(request.map_err(kube::Error::BuildRequest)?).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pod_is_read_without_its_spec() {
        let pod = pod(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "b"}},
            "spec": {"nodeName": "node-7", "containers": [{"name": "runner", "image": "i", "env": [{"name": "X", "value": "y"}]}]},
            "status": {"phase": "Failed", "containerStatuses": [{"name": "runner", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 20, "message": "m"}}}]}
        }))
        .unwrap();
        assert_eq!((pod.name_any().as_str(), pod.labels()["a"].as_str()), ("p", "b"));
        let spec = pod.spec.as_ref().unwrap();
        assert_eq!((spec.node_name.as_deref(), spec.containers.len()), (Some("node-7"), 0));
        let states = pod.status.unwrap().container_statuses.unwrap();
        let ended = states[0].state.as_ref().unwrap().terminated.as_ref().unwrap();
        assert_eq!((ended.exit_code, ended.message.as_deref()), (20, Some("m")));
    }

    #[test]
    fn job_is_read_with_what_is_asked_of_it() {
        let job = job(json!({
            "metadata": {"name": "j", "uid": "u", "annotations": {"a": "b"}, "ownerReferences": [{"apiVersion": "v", "kind": "k", "name": "n", "uid": "o"}]},
            "spec": {"template": {"spec": {"containers": []}}},
            "status": {"terminating": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}
        }))
        .unwrap();
        assert_eq!((job.uid().as_deref(), job.owner_references().len()), (Some("u"), 1));
        let status = job.status.unwrap();
        assert_eq!(
            (status.terminating, status.conditions.unwrap()[0].reason.as_deref()),
            (Some(1), Some("DeadlineExceeded"))
        );
        assert!(job.spec.is_none());
        let odd = json!({"metadata": {"name": "j"}, "status": {"conditions": 5}});
        assert!(super::job(odd).is_err());
    }

    #[test]
    fn raw_object_keeps_all_of_it() {
        let text = r#"{"metadata": {"name": "x", "namespace": "acme"}, "spec": {"cron": 5}}"#;
        let raw: Raw = serde_json::from_str(text).unwrap();
        assert_eq!((raw.name_any().as_str(), raw.value["spec"]["cron"].as_i64()), ("x", Some(5)));
        assert!(serde_json::from_str::<Raw>(r#"{"metadata": 5}"#).is_err(), "nobody knows which one it is");
        assert!(serde_json::from_str::<Raw>("{}").unwrap().metadata.name.is_none());
        // The path of a kind is its own.
        let kind = ApiResource::erase::<Job>(&());
        assert_eq!(Raw::url_path(&kind, None), Job::url_path(&(), None));
        assert_eq!(ReadPod::url_path(&(), Some("acme")), Pod::url_path(&(), Some("acme")));
    }
}
