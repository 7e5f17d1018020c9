//! The cluster through its API server. Short: nothing is decided here.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};
use openreg_crds::report_run::Cancelled;
use openreg_crds::{RECORDED_FINALIZER, Report, ReportRun, ReportVersion, STORE_NAME, Store, TENANT_LABEL};
use serde_json::json;
use uuid::Uuid;

use super::{Cluster, ClusterError, Tenant};
use crate::recorder::Feed;

const RUN: &str = "ReportRun";
const MANAGER: &str = "openreg-recorder";

/// The cluster through its API server.
#[derive(Clone)]
pub struct Kubernetes {
    client: Client,
}

impl Kubernetes {
    /// Out of the pod's service account, or KUBECONFIG.
    pub async fn connect() -> Result<Self, ClusterError> {
        let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| ClusterError::Unreachable {
            action: "find the cluster".to_owned(),
            source,
        };
        let mut config = kube::Config::infer().await.map_err(|e| unreachable(Box::new(e)))?;
        config.connect_timeout = Some(Duration::from_secs(5));
        // Longer than the 290 s of a watch.
        config.read_timeout = Some(Duration::from_secs(295));
        Ok(Self {
            client: Client::try_from(config).map_err(|e| unreachable(Box::new(e)))?,
        })
    }

    fn in_namespace<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// All runs of the cluster, and then what changes of them.
    pub fn feed(&self) -> BoxStream<'static, Feed> {
        let api: Api<DeserializeGuard<ReportRun>> = Api::all(self.client.clone());
        let config = watcher::Config::default().page_size(200);
        watcher(api, config).default_backoff().map(event).boxed()
    }
}

fn event(event: Result<Event<DeserializeGuard<ReportRun>>, watcher::Error>) -> Feed {
    match event {
        Ok(Event::Init) => Feed::Begin,
        Ok(Event::InitDone) => Feed::Complete,
        Ok(Event::InitApply(DeserializeGuard(Ok(run))) | Event::Apply(DeserializeGuard(Ok(run)))) => Feed::Seen(Box::new(run)),
        Ok(Event::Delete(DeserializeGuard(Ok(run)))) => Feed::Gone(Box::new(run)),
        Ok(Event::Delete(DeserializeGuard(Err(e)))) => Feed::UnreadableGone {
            namespace: e.metadata.namespace.unwrap_or_default(),
            name: e.metadata.name.unwrap_or_default(),
        },
        Ok(Event::InitApply(DeserializeGuard(Err(e))) | Event::Apply(DeserializeGuard(Err(e)))) => Feed::Unreadable {
            namespace: e.metadata.namespace.unwrap_or_default(),
            name: e.metadata.name.unwrap_or_default(),
            error: e.error,
        },
        Err(e) => Feed::Broken(crate::error::chain(&e)),
    }
}

/// What the API server said, in the words of the trait.
fn judged(action: &str, kind: &'static str, name: &str, error: kube::Error) -> ClusterError {
    let action = format!("{action} {kind} {name}");
    if let kube::Error::Api(status) = &error {
        match (status.code, status.reason.as_str()) {
            (409, "AlreadyExists") => return ClusterError::Exists { kind, name: name.to_owned() },
            (409, _) => return ClusterError::Changed { kind, name: name.to_owned() },
            (404, _) => return ClusterError::Missing { kind, name: name.to_owned() },
            (403, _) => {
                return ClusterError::Forbidden {
                    action,
                    source: Box::new(error),
                };
            }
            (400 | 422, _) => {
                return ClusterError::Refused {
                    message: status.message.clone(),
                };
            }
            _ => {}
        }
    }
    ClusterError::Unreachable {
        action,
        source: Box::new(error),
    }
}

fn place(run: &ReportRun) -> (String, String) {
    (run.namespace().unwrap_or_default(), run.name_any())
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn tenants(&self) -> Result<Vec<Tenant>, ClusterError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = api
            .list_metadata(&ListParams::default().labels(TENANT_LABEL))
            .await
            .map_err(|e| judged("list", "Namespace", "", e))?;
        let tenant = |m: kube::core::PartialObjectMeta<Namespace>| {
            Some(Tenant {
                uid: Uuid::try_parse(m.metadata.uid.as_deref()?).ok()?,
                namespace: m.metadata.name?,
            })
        };
        Ok(found.items.into_iter().filter_map(tenant).collect())
    }

    async fn reports(&self, namespace: &str) -> Result<Vec<Report>, ClusterError> {
        Ok(self
            .in_namespace::<Report>(namespace)
            .list(&ListParams::default())
            .await
            .map_err(|e| judged("list", "Report", "", e))?
            .items)
    }

    async fn report(&self, namespace: &str, name: &str) -> Result<Option<Report>, ClusterError> {
        self.in_namespace::<Report>(namespace)
            .get_opt(name)
            .await
            .map_err(|e| judged("read", "Report", name, e))
    }

    async fn versions(&self, namespace: &str, report: &str) -> Result<Vec<ReportVersion>, ClusterError> {
        let mut found = self
            .in_namespace::<ReportVersion>(namespace)
            .list(&ListParams::default())
            .await
            .map_err(|e| judged("list", "ReportVersion", "", e))?
            .items;
        found.retain(|v| v.spec.report_ref == report);
        Ok(found)
    }

    async fn store(&self, namespace: &str) -> Result<Option<Store>, ClusterError> {
        self.in_namespace::<Store>(namespace)
            .get_opt(STORE_NAME)
            .await
            .map_err(|e| judged("read", "Store", STORE_NAME, e))
    }

    async fn run(&self, namespace: &str, id: Uuid) -> Result<Option<ReportRun>, ClusterError> {
        let id = id.to_string();
        let api = self.in_namespace::<ReportRun>(namespace);
        // At most 50 a report are kept, but of many reports: a page at a time, so that a question for a run that is not
        // there holds no more than a page of them in memory.
        let mut page = ListParams::default().limit(100);
        loop {
            let found = api.list(&page).await.map_err(|e| judged("list", RUN, "", e))?;
            let next = found.metadata.continue_.filter(|token| !token.is_empty());
            if let Some(run) = found.items.into_iter().find(|r| r.spec.id == id) {
                return Ok(Some(run));
            }
            match next {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(None),
            }
        }
    }

    async fn create_run(&self, namespace: &str, run: &ReportRun) -> Result<ReportRun, ClusterError> {
        let params = PostParams {
            field_manager: Some("openreg-api".to_owned()),
            ..PostParams::default()
        };
        self.in_namespace(namespace)
            .create(&params, run)
            .await
            .map_err(|e| judged("create", RUN, &run.name_any(), e))
    }

    async fn cancel_run(&self, namespace: &str, name: &str, cancelled: &Cancelled) -> Result<ReportRun, ClusterError> {
        let params = PatchParams {
            field_manager: Some("openreg-api".to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({"spec": {"cancelled": cancelled}}));
        self.in_namespace(namespace)
            .patch(name, &params, &patch)
            .await
            .map_err(|e| judged("cancel", RUN, name, e))
    }

    async fn mark_run(&self, run: &ReportRun, recorded: Result<(), (&str, &str)>) -> Result<(), ClusterError> {
        let (namespace, name) = place(run);
        let (status, reason, message) = match recorded {
            Ok(()) => ("True", "Recorded", "the history has the run, its files, deliveries and audit entries"),
            Err((reason, message)) => ("False", reason, message),
        };
        let message: String = message.chars().take(1024).collect();
        // The list is a map by type: this field manager owns this one entry, and no other writer's is touched.
        let patch = json!({"apiVersion": "openreg.io/v1alpha1", "kind": RUN, "status": {"conditions": [
            {"type": "Recorded", "status": status, "reason": reason, "message": message, "observedGeneration": run.metadata.generation, "lastTransitionTime": Timestamp::now().round(jiff::Unit::Second).unwrap_or_else(|_| Timestamp::now())}]}});
        let params = PatchParams::apply(MANAGER).force();
        self.in_namespace::<ReportRun>(&namespace)
            .patch_status(&name, &params, &Patch::Apply(patch))
            .await
            .map_err(|e| judged("mark", RUN, &name, e))?;
        Ok(())
    }

    async fn release_run(&self, run: &ReportRun) -> Result<(), ClusterError> {
        let mut finalizers = run.metadata.finalizers.clone().unwrap_or_default();
        finalizers.retain(|f| f != RECORDED_FINALIZER);
        let (namespace, name) = place(run);
        // Refused when somebody changed the object meanwhile: their finalizers must not get lost.
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": run.resource_version(), "uid": run.uid(), "finalizers": finalizers}}));
        self.in_namespace::<ReportRun>(&namespace)
            .patch(&name, &params, &patch)
            .await
            .map_err(|e| judged("change", RUN, &name, e))?;
        Ok(())
    }
}
