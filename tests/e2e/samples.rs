//! `config/samples` as somebody applies them, and what `kubectl` shows of them.

use std::time::Duration;

use openreg_crds::report_run::RunOutcome;
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{Tenant, kubectl, services};
use serde_json::Value;

/// All samples, in this test's namespace, with the SFTP server's host key and a directory of the test's own.
async fn samples(tenant: &Tenant) -> anyhow::Result<String> {
    let key = services::host_key(tenant).await?;
    let directory = services::own_directory(tenant).await?;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/samples");
    let mut paths: Vec<_> = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    paths.sort();
    let mut all = String::new();
    for path in paths {
        let text = std::fs::read_to_string(&path)?.replace("namespace: acme", &format!("namespace: {}", tenant.namespace));
        for line in text.lines() {
            // The example's host key is nobody's.
            match line.split_once("hostKeys: [\"") {
                Some((indent, _)) => all.push_str(&format!("{indent}hostKeys: [\"{key}\"]")),
                None => all.push_str(&line.replace("directory: /in", &format!("directory: {directory}"))),
            }
            all.push('\n');
        }
        all.push_str("---\n");
    }
    Ok(all)
}

/// A table of `kubectl get` as rows of cells, the header first.
async fn table(tenant: &Tenant, kind: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let text = kubectl::run(&["get", "-n", &tenant.namespace, kind]).await?;
    // Columns are three blanks apart; a header may have one in it.
    let rows = text
        .lines()
        .map(|line| line.split("   ").map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect());
    Ok(rows.collect())
}

#[test]
#[ignore = "needs a cluster: make test"]
fn samples_applied_twice_are_as_they_were_and_read_well() {
    with_tenant("samples", |tenant| async move {
        let yaml = samples(&tenant).await?;
        tenant.apply(&yaml).await?;
        let run = tenant.completed("trades-first", Duration::from_secs(120)).await?;
        let status = run.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");

        let again = tenant.apply(&yaml).await?;
        for line in again.lines().filter(|l| !l.starts_with("Warning")) {
            assert!(line.ends_with(" unchanged"), "the second apply changed something: {again}");
        }
        let diff = kubectl::raw(&["diff", "-n", &tenant.namespace, "-f", "-"], Some(&yaml)).await?;
        let told = format!("{}{}", String::from_utf8_lossy(&diff.stdout), String::from_utf8_lossy(&diff.stderr));
        assert!(diff.status.success() && diff.stdout.is_empty(), "{told}");

        let reports = table(&tenant, "reports").await?;
        assert_eq!(reports[0], ["NAME", "VERSION", "READY", "LAST RUN", "OUTCOME", "AGE"]);
        let trades = reports.iter().find(|r| r[0] == "trades-csv").expect("the report");
        assert_eq!(trades[1..3], ["1.0.0", "True"], "{reports:?}");
        assert_eq!((trades.len(), trades[4].as_str()), (6, "Delivered"), "its last run, when and how: {reports:?}");

        let schedules = table(&tenant, "schedules").await?;
        assert_eq!(schedules[0], ["NAME", "REPORT", "READY", "SUSPENDED", "LAST", "NEXT", "AGE"]);
        assert_eq!(schedules[1][..3], ["trades-daily", "trades-csv", "True"], "{schedules:?}");
        assert!(schedules[1].iter().any(|c| c.parse::<jiff::Timestamp>().is_ok()), "when next: {schedules:?}");

        let runs = table(&tenant, "reportruns").await?;
        assert_eq!(runs[0], ["NAME", "REPORT", "VERSION", "PERIOD", "PHASE", "REASON", "RECORDS", "AGE"]);
        let expected = ["trades-first", "trades-csv", "1.0.0", "2026-03-03T00:00:00Z", "Succeeded", "Delivered"];
        assert_eq!(runs[1][..6], expected, "{runs:?}");
        assert_eq!((runs.len(), runs[1].len()), (2, 8), "{runs:?}");
        Ok(())
    });
}

/// What the Jobs say is what the pods are: admission adds no token, and takes no limit away.
#[test]
#[ignore = "needs a cluster: make test"]
fn samples_pods_are_bounded_restricted_and_have_no_token() {
    with_tenant("pods", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        tenant.apply(&openreg_e2e::fixture::run("pods").to_string()).await?;
        tenant.completed("pods", Duration::from_secs(120)).await?;
        let select = "openreg.io/run=pods";
        let listed = kubectl::run(&["get", "pods", "-n", &tenant.namespace, "-l", select, "-o", "json"]).await?;
        let listed: Value = serde_json::from_str(&listed)?;
        let pods = listed["items"].as_array().expect("a list");
        assert_eq!(pods.len(), 2, "one generates, one delivers");
        for pod in pods {
            let spec = &pod["spec"];
            let volumes = spec["volumes"].as_array().expect("volumes");
            assert!(volumes.iter().all(|v| v["projected"].is_null()), "a token is projected: {volumes:?}");
            let scratch = volumes.iter().find(|v| !v["emptyDir"].is_null()).expect("a scratch volume");
            assert!(scratch["emptyDir"]["sizeLimit"].is_string(), "{scratch}");
            for (pointer, expected) in [
                ("/automountServiceAccountToken", "false"),
                ("/containers/0/resources/limits", r#"{"cpu":"2","memory":"4Gi"}"#),
                ("/containers/0/securityContext/runAsNonRoot", "true"),
                ("/containers/0/securityContext/privileged", "false"),
                ("/containers/0/securityContext/readOnlyRootFilesystem", "true"),
                ("/securityContext/seccompProfile/type", r#""RuntimeDefault""#),
                ("/restartPolicy", r#""Never""#),
                ("/initContainers", "null"),
            ] {
                let found = spec.pointer(pointer).unwrap_or(&Value::Null).to_string();
                assert_eq!(found, expected, "{pointer}");
            }
        }
        Ok(())
    });
}
