//! A tenant of a test's own: a namespace that enforces Pod Security "restricted", with the Secrets that runs need.
//! It is dumped when the test fails, and removed afterwards. A test of the API server alone takes a bare namespace.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use openreg_crds::common::condition;
use openreg_crds::{Connector, Destination, Report, ReportRun, Store};
use serde_json::json;

use crate::{kubectl, services};

/// A namespace of a test's own.
#[derive(Clone)]
pub struct Tenant {
    /// The client that the test uses.
    pub client: Client,
    /// The namespace's name.
    pub namespace: String,
}

/// Runs a test in a tenant of its own; prints what is in there when the test fails.
pub fn with_tenant<F, R>(name: &str, test: F)
where
    F: FnOnce(Tenant) -> R,
    R: Future<Output = Result<()>>,
{
    within(name, true, test);
}

/// The same in a namespace that is no tenant: OpenReg may write nothing in there, so that objects stay as they were made.
pub fn with_namespace<F, R>(name: &str, test: F)
where
    F: FnOnce(Tenant) -> R,
    R: Future<Output = Result<()>>,
{
    within(name, false, test);
}

fn within<F, R>(name: &str, is_tenant: bool, test: F)
where
    F: FnOnce(Tenant) -> R,
    R: Future<Output = Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::try_default().await.expect("KUBECONFIG names a cluster");
        let tenant = Tenant::create(client, name, is_tenant).await.expect("a namespace");
        // A panic (a failed assertion) must be dumped too.
        let outcome = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(test(tenant.clone()))).await;
        let failed = !matches!(outcome, Ok(Ok(())));
        if failed {
            tenant.dump().await;
        }
        tenant.remove().await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(e)) => panic!("{e:?}"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
}

impl Tenant {
    async fn create(client: Client, name: &str, is_tenant: bool) -> Result<Self> {
        let namespace = format!("t-{name}-{:06x}", rand::random::<u32>() & 0xff_ffff);
        let mut labels = json!({"openreg.io/test": name, "pod-security.kubernetes.io/enforce": "restricted"});
        if is_tenant {
            labels["openreg.io/tenant"] = json!("true");
        }
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace, "labels": labels}}))?;
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await?;
        let tenant = Self { client, namespace };
        if is_tenant {
            tenant.apply(&services::tenant_setup(&tenant.client, &tenant.namespace).await?).await?;
        }
        Ok(tenant)
    }

    /// The objects of a kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        <K as kube::Resource>::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// `kubectl apply` of YAML into this namespace.
    pub async fn apply(&self, yaml: &str) -> Result<String> {
        kubectl::apply(&self.namespace, yaml).await
    }

    /// Waits for the run's Complete condition.
    pub async fn completed(&self, run: &str, limit: Duration) -> Result<ReportRun> {
        self.wait_run(run, "Complete=True", limit, |r| {
            r.status.as_ref().is_some_and(|s| condition::is_true(&s.conditions, "Complete"))
        })
        .await
    }

    /// Waits for the recorder's condition.
    pub async fn recorded(&self, run: &str, limit: Duration) -> Result<ReportRun> {
        self.wait_run(run, "Recorded=True", limit, |r| {
            r.status.as_ref().is_some_and(|s| condition::is_true(&s.conditions, "Recorded"))
        })
        .await
    }

    /// Waits until the run is as `holds` says.
    pub async fn wait_run(&self, run: &str, what: &str, limit: Duration, holds: impl Fn(&ReportRun) -> bool) -> Result<ReportRun> {
        let wait = await_condition(self.api::<ReportRun>(), run, |r: Option<&ReportRun>| r.is_some_and(&holds));
        match tokio::time::timeout(limit, wait).await {
            Ok(found) => found?.context("the run is gone"),
            Err(_) => bail!("run {run}: not {what} within {} s", limit.as_secs()),
        }
    }

    /// Waits until the condition of a kind with conditions has a status; gives its reason and message.
    pub async fn wait_condition(&self, kind: &str, name: &str, type_: &str, status: &str, limit: Duration) -> Result<(String, String)> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let conditions = match kind {
                "Report" => self.api::<Report>().get_opt(name).await?.and_then(|o| o.status).map(|s| s.conditions),
                "Connector" => self.api::<Connector>().get_opt(name).await?.and_then(|o| o.status).map(|s| s.conditions),
                "Destination" => self.api::<Destination>().get_opt(name).await?.and_then(|o| o.status).map(|s| s.conditions),
                "Store" => self.api::<Store>().get_opt(name).await?.and_then(|o| o.status).map(|s| s.conditions),
                other => bail!("kind {other} is not waited for"),
            }
            .unwrap_or_default();
            if let Some(found) = condition::find(&conditions, type_)
                && found.status.as_str() == status
            {
                return Ok((found.reason.clone(), found.message.clone()));
            }
            if tokio::time::Instant::now() > deadline {
                bail!("{kind} {name}: {type_} not {status} within {} s; conditions: {conditions:?}", limit.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn dump(&self) {
        let n = self.namespace.as_str();
        eprintln!("--- what was in {n} ---");
        for args in [
            vec!["get", "-n", n, "openreg,jobs,pods,networkpolicies", "-o", "wide"],
            vec!["get", "-n", n, "reportruns", "-o", "yaml"],
            vec![
                "get",
                "-n",
                n,
                "reports,connectors,destinations,stores",
                "-o",
                "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.status}{\"\\n\"}{end}",
            ],
            vec!["get", "-n", n, "events", "--sort-by=.lastTimestamp"],
            vec!["logs", "-n", n, "-l", "app.kubernetes.io/managed-by=openreg", "--tail=20", "--prefix"],
            vec!["logs", "-n", "openreg-system", "-l", "app.kubernetes.io/component=operator", "--tail=30"],
        ] {
            match kubectl::raw(&args, None).await {
                Ok(o) => eprintln!(
                    "$ kubectl {}\n{}{}",
                    args.join(" "),
                    String::from_utf8_lossy(&o.stdout),
                    String::from_utf8_lossy(&o.stderr)
                ),
                Err(e) => eprintln!("$ kubectl {}: {e}", args.join(" ")),
            }
        }
    }

    async fn remove(&self) {
        // The namespace goes in the background; a run's finalizer must not hold it when the recorder is down on purpose.
        let runs = self.api::<ReportRun>();
        let _ = Api::<Namespace>::all(self.client.clone())
            .delete(&self.namespace, &DeleteParams::background())
            .await;
        if let Ok(list) = runs.list(&Default::default()).await {
            for run in list {
                let name = run.metadata.name.unwrap_or_default();
                let patch = kube::api::Patch::Merge(json!({"metadata": {"finalizers": null}}));
                let _ = runs.patch(&name, &Default::default(), &patch).await;
            }
        }
    }
}
