//! What dies on the way heals or says so, and nothing is delivered twice.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::api::DeleteParams;
use openreg_crds::ReportRun;
use openreg_crds::report_run::RunOutcome;
use openreg_e2e::proof::{self, Bucket};
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{Tenant, fixture, killer, kubectl, services};
use serde_json::json;

use crate::{cut, fail};

#[test]
#[ignore = "needs a cluster: make test"]
fn crash_a_job_deleted_by_hand_is_made_again() {
    with_tenant("deleted", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        let slow = fixture::with(fixture::report(10), "/spec/version", json!("1.0.1"));
        let slow = fixture::with(slow, "/spec/validation", json!([]));
        let mut slow = slow;
        slow["spec"]["source"]["datasets"][0]["query"] =
            json!("SELECT lpad(i::text, 9, '0') AS ref, pg_sleep(0.3)::text AS s FROM generate_series(1, 20) i ORDER BY 1");
        tenant.apply(&slow.to_string()).await?;
        tenant.wait_condition("Report", "small", "Ready", "True", Duration::from_secs(20)).await?;
        tenant.apply(&fixture::run("again").to_string()).await?;
        tenant
            .wait_run("again", "started", Duration::from_secs(60), |r| {
                r.status.as_ref().is_some_and(|s| s.generate.as_ref().is_some_and(|g| g.job_uid.is_some()))
            })
            .await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        tenant.api::<Job>().delete("again-g1", &DeleteParams::background()).await?;
        let status = tenant.completed("again", Duration::from_secs(120)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        assert_eq!(status.generate.expect("an attempt").number, 2);
        assert_eq!(services::sftp_listing(&tenant).await?.len(), 1);
        Ok(())
    });
}

const OPERATOR: &str = "deployment/openreg-operator";

/// Has the operator use another runner image, and waits until it does.
async fn use_runner_image(image: &str) -> anyhow::Result<()> {
    let variable = format!("OPENREG_RUNNER_IMAGE={image}");
    kubectl::run(&["set", "env", "-n", services::SYSTEM_NAMESPACE, OPERATOR, &variable]).await?;
    kubectl::run(&["rollout", "status", "-n", services::SYSTEM_NAMESPACE, OPERATOR, "--timeout=120s"]).await?;
    Ok(())
}

async fn run_to_its_end(tenant: &Tenant, name: &str) -> anyhow::Result<ReportRun> {
    tenant.apply(&fixture::run(name).to_string()).await?;
    tenant.completed(name, Duration::from_secs(150)).await
}

/// A release whose runner image is not there, or not for this cluster.
#[test]
#[ignore = "needs a cluster: make test"]
fn crash_an_image_that_cannot_be_pulled() {
    const ABSENT: &str = "localhost/openreg-runner:not-there";
    with_tenant("image", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        let path = r#"jsonpath={.spec.template.spec.containers[0].env[?(@.name=="OPENREG_RUNNER_IMAGE")].value}"#;
        let image = kubectl::run(&["get", "-n", services::SYSTEM_NAMESPACE, OPERATOR, "-o", path]).await?;
        assert!(!image.is_empty(), "the operator's Deployment names no runner image");

        // Nothing here may panic before the image is as it was: the other tests need it.
        let ended = match use_runner_image(ABSENT).await {
            Ok(()) => run_to_its_end(&tenant, "absent").await,
            Err(e) => Err(e),
        };
        use_runner_image(&image).await?;

        let status = ended?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Failed), "{status:#?}");
        let failure = status.failure.expect("a failure");
        assert_eq!((failure.stage.as_str(), failure.class.as_str()), ("Start", "Config"), "{failure:?}");
        assert_eq!(failure.code, "ImagePullFailed", "{failure:?}");
        assert!(failure.message.contains(ABSENT), "names the image: {failure:?}");
        assert!(failure.hint.is_some_and(|h| h.contains("OPENREG_RUNNER_IMAGE")));
        assert_eq!(status.generate.map(|g| g.number), Some(1), "trying again helps nobody");
        let jobs = tenant
            .api::<Job>()
            .list(&kube::api::ListParams::default().labels("openreg.io/run=absent"))
            .await?;
        let active: Vec<_> = jobs
            .items
            .iter()
            .filter(|j| j.status.as_ref().is_some_and(|s| s.active.unwrap_or(0) > 0))
            .collect();
        assert!(active.is_empty(), "a Job with a bad image stays active for ever: {active:#?}");

        let run = run_to_its_end(&tenant, "mended").await?;
        assert_eq!(run.status.and_then(|s| s.outcome), Some(RunOutcome::Delivered));
        Ok(())
    });
}

/// Waits until the receiver has a part of the tenant's file, and sends a signal to its processes that write. They are told
/// apart from the one that waits for log-ins by their name, but not from each other: these tests run alone.
const AT_UPLOAD: &str = "for i in {1..3000}; do
    if [ -n \"$(find \"/srv/sftp/in/$1\" -type f -size +1024k -print -quit)\" ]; then
        found=$(grep -l '^sshd: bank@' /proc/[0-9]*/cmdline 2>/dev/null | tr -dc '0-9\\n')
        kill -\"$2\" $found && echo $found
        exit
    fi
    sleep 0.02
done
echo 'no upload began within 60 s' >&2
exit 1";

/// The same; gives the processes.
async fn at_upload(tenant: &Tenant, signal: &str) -> anyhow::Result<String> {
    let processes = services::sftp_bash(AT_UPLOAD, &[&tenant.namespace, signal]).await?;
    Ok(processes.trim().to_owned())
}

/// Lets processes go on that [`at_upload`] stopped, if they are still there.
async fn go_on(processes: &str) -> anyhow::Result<()> {
    services::sftp_bash("kill -CONT $1 2>/dev/null || true", &[processes]).await?;
    Ok(())
}

/// 62 MB, so that there is a middle.
async fn large_delivery(tenant: &Tenant) -> anyhow::Result<()> {
    let query = "SELECT lpad(i::text, 9, '0') AS ref, repeat(md5(i::text), 32) AS filler FROM generate_series(1, 60000) i";
    services::full_report(tenant, fixture::store(), fail::with_query(query)).await?;
    tenant.apply(&fixture::run("cut").to_string()).await?;
    tenant
        .wait_run("cut", "Generated=True", Duration::from_secs(90), |r| {
            r.status.as_ref().is_some_and(|s| s.manifest.is_some())
        })
        .await?;
    Ok(())
}

/// The receiver's process dies in the middle of an upload.
#[test]
#[ignore = "needs a cluster: make test"]
fn crash_receiver_in_the_middle_of_an_upload() {
    with_tenant("receiver", |tenant| async move {
        large_delivery(&tenant).await?;
        at_upload(&tenant, "KILL").await?;
        let run = tenant.completed("cut", Duration::from_secs(180)).await?;
        let status = cut::is_whole(&tenant, &Bucket::shared(), &run).await?;
        assert_eq!(status.deliveries[0].attempt.as_ref().map(|a| a.number), Some(2), "{:#?}", status.deliveries);
        Bucket::shared().remove_run(&run.spec.id).await;
        Ok(())
    });
}

/// The delivering pod is deleted in the middle of an upload, as by `kubectl drain`.
#[test]
#[ignore = "needs a cluster: make test"]
fn crash_delivering_pod_is_deleted_in_the_middle_of_an_upload() {
    with_tenant("drained", |tenant| async move {
        large_delivery(&tenant).await?;
        // The receiver holds still meanwhile: else the upload might be over before the pod is told.
        let process = at_upload(&tenant, "STOP").await?;
        let select = ["-l", "openreg.io/run=cut,openreg.io/stage=deliver", "--wait=false"];
        let deleted = kubectl::run(&[&["delete", "pod", "-n", &tenant.namespace][..], &select[..]].concat()).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        go_on(&process).await?;
        assert!(deleted?.contains("deleted"), "no pod was delivering");
        let run = tenant.completed("cut", Duration::from_secs(180)).await?;
        let status = cut::is_whole(&tenant, &Bucket::shared(), &run).await?;
        assert_eq!(status.deliveries[0].attempt.as_ref().map(|a| a.number), Some(2), "{:#?}", status.deliveries);
        Bucket::shared().remove_run(&run.spec.id).await;
        Ok(())
    });
}

/// Sends SIGKILL to the runner of a pod, `$2` seconds after it was seen; each runner knows its pod's name.
const KILL_RUNNER: &str = "for i in {1..600}; do
    found=$(grep -lz \"^POD_NAME=$1\" /proc/[0-9]*/environ 2>/dev/null | head -n 1)
    if [ -n \"$found\" ]; then
        sleep \"$2\"
        pid=${found#/proc/}
        kill -9 \"${pid%/environ}\"
        exit
    fi
    sleep 0.1
done
echo 'no such runner within 60 s' >&2
exit 1";

async fn killed_twice(tenant: &Tenant) -> anyhow::Result<ReportRun> {
    tenant.apply(&fixture::run("killed").to_string()).await?;
    kubectl::bash(services::NAMESPACE, "pod/killer", KILL_RUNNER, &["killed-g1-", "3"]).await?;
    // The receiver holds still meanwhile: else the upload might be over before the runner is.
    let process = at_upload(tenant, "STOP").await?;
    let killed = kubectl::bash(services::NAMESPACE, "pod/killer", KILL_RUNNER, &["killed-d0-1-", "0"]).await;
    go_on(&process).await?;
    killed?;
    tenant.completed("killed", Duration::from_secs(150)).await
}

/// A runner that has no time to say a word: once while it reads, and once while it uploads.
#[test]
#[ignore = "needs a cluster: make test"]
fn crash_runner_killed_reading_and_then_delivering() {
    with_tenant("runner", |tenant| async move {
        services::full_report(&tenant, fixture::store(), fail::with_query(cut::SLOW)).await?;
        killer::start().await?;
        let ended = killed_twice(&tenant).await;
        killer::stop().await;
        let run = ended?;
        let status = run.status.clone().unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        assert_eq!(status.generate.as_ref().map(|g| g.number), Some(2));
        assert_eq!(status.deliveries[0].attempt.as_ref().map(|a| a.number), Some(2), "{:#?}", status.deliveries);
        proof::delivered_once(&tenant, &Bucket::shared(), &run).await?;
        Ok(())
    });
}
