//! From a real S3 server to a real SFTP server, through the function that the runner calls.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openreg_parts::conformance::servers::{S3Server, Sshd};
use openreg_parts::store::key::Key;
use openreg_parts::store::{Created, Store};
use openreg_plan::RunPlan;
use openreg_plan::digest::Sha256;
use openreg_plan::report::Outcome;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::{DeliverEvent, DeliverRequest, Delivered, deliver};

const NAME: &str = "report.csv";

struct Real {
    s3: Arc<Mutex<S3Server>>,
    sshd: Sshd,
    secrets: tempfile::TempDir,
    plan: RunPlan,
    manifest_sha256: Sha256,
    content: Vec<u8>,
    directory: String,
}

impl Real {
    async fn start(size: usize) -> Option<Self> {
        let (s3, sshd) = (S3Server::start()?, Sshd::start()?);
        let directory = sshd.directory("in");
        let (transport, _) = sshd.with_password(&directory);
        let secrets = tempfile::tempdir().unwrap();
        let s3_port = s3.options().host_and_port().1;
        let mount = |name: &str, values: &[(&str, String)]| {
            let path = secrets.path().join(name);
            std::fs::create_dir(&path).unwrap();
            for (key, value) in values {
                std::fs::write(path.join(key), value).unwrap();
            }
            json!({"name": name, "path": path})
        };
        let store_secret = mount(
            "s3",
            &[
                ("accessKeyId", S3Server::ACCESS_KEY.into()),
                ("secretAccessKey", S3Server::SECRET_KEY.into()),
                ("allowedHosts", format!("127.0.0.1:{s3_port}")),
            ],
        );
        let sftp_secret = mount(
            "sftp",
            &[
                ("username", Sshd::USER.into()),
                ("password", Sshd::PASSWORD.into()),
                ("allowedHosts", format!("127.0.0.1:{}", sshd.port())),
            ],
        );
        let plan = serde_json::from_value(json!({
            "version": 1,
            "run": {"id": "run-1", "name": "r", "namespace": "n", "tenant": "t", "report": "r", "reportVersion": "1.0.0",
                "period": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}, "plannedAt": "2026-03-02T05:00:00Z", "parameters": {}},
            "connectors": {}, "datasets": [], "rules": [], "fields": [], "output": {"csv": {}},
            "file": {"name": NAME, "whenEmpty": "Nothing"},
            "store": {"options": s3.store(), "credentials": store_secret, "prefix": "t/"},
            "destinations": [{"name": "regulator", "id": "d-1", "transport": {"sftp": transport}, "credentials": sftp_secret,
                "directory": directory, "temporaryPrefix": ".", "verify": "SizeAndHash", "timeoutSeconds": 120}],
            "limits": {"timeoutSeconds": 60, "scratch": "/tmp", "scratchBytes": 0}
        }))
        .unwrap();
        let store = Store::open_with(&s3.store(), S3Server::ACCESS_KEY, S3Server::SECRET_KEY, "t/").unwrap();
        let content: Vec<u8> = (0..size).map(|i| u8::try_from((i ^ (i >> 8) ^ (i >> 16)) & 0xff).unwrap()).collect();
        let key = Key::Artifact {
            run: "run-1".into(),
            pod: "maker".into(),
            name: NAME.into(),
        };
        let mut writer = store.writer(&key).await.unwrap();
        writer.write(content.clone().into()).await.unwrap();
        assert_eq!(writer.finish().await.unwrap(), Created::New);
        let manifest =
            json!({"version": 1, "run": "run-1", "planSha256": Sha256::of(b"plan"), "pod": "maker", "outcome": "Complete", "datasets": [], "rules": [],
            "artifacts": [{"name": NAME, "key": key.to_string(), "size": size, "sha256": Sha256::of(&content), "records": 1, "mediaType": "text/csv"}]})
            .to_string();
        let manifest_sha256 = Sha256::of(manifest.as_bytes());
        store.create(&Key::Manifest { run: "run-1".into() }, manifest.into()).await.unwrap();
        Some(Self {
            s3: Arc::new(Mutex::new(s3)),
            sshd,
            secrets,
            plan,
            manifest_sha256,
            content,
            directory,
        })
    }

    async fn deliver(&self, pod: &str, ended: &[&str], progress: &(dyn Fn(DeliverEvent) + Send + Sync)) -> Delivered {
        let ended_pods = ended.iter().map(|p| (*p).to_owned()).collect();
        let request = DeliverRequest {
            destination: 0,
            attempt: 1,
            pod: pod.into(),
            ended_pods,
            manifest_sha256: self.manifest_sha256.clone(),
        };
        deliver(&self.plan, request, CancellationToken::new(), progress).await
    }

    /// The one file that lies at the receiver, whole.
    fn lies_once(&self) {
        let names: Vec<_> = std::fs::read_dir(&self.directory)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, [NAME]);
        assert!(std::fs::read(format!("{}/{NAME}", self.directory)).unwrap() == self.content);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_s3_to_sftp_once() {
    let Some(real) = Real::start(30 << 20).await else { return };
    let begun = Instant::now();
    let first = real.deliver("pod-1", &[], &|_| {}).await;
    println!("30 MiB from S3 to SFTP, read back and with receipt: {:?}", begun.elapsed());
    assert_eq!((first.outcome, first.failure), (Outcome::Delivered, None));
    assert_eq!((first.delivery.receipts, first.delivery.begun), (1, true));
    assert_eq!(first.delivery.remote.unwrap(), format!("{}/{NAME}", real.directory));
    real.lies_once();
    // The receiver takes the file: what has a receipt is not sent again.
    std::fs::remove_file(format!("{}/{NAME}", real.directory)).unwrap();
    let second = real.deliver("pod-2", &["pod-1"], &|_| {}).await;
    assert_eq!(
        (second.outcome, second.delivery.receipt_sha256),
        (Outcome::Delivered, first.delivery.receipt_sha256)
    );
    assert_eq!(std::fs::read_dir(&real.directory).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_when_the_receipt_is_due_leaves_no_doubt() {
    let Some(real) = Real::start(1 << 20).await else { return };
    let s3 = real.s3.clone();
    let away = move |event| {
        if matches!(event, DeliverEvent::Visible { .. }) {
            s3.lock().unwrap().stop();
            let s3 = s3.clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_secs(3));
                s3.lock().unwrap().resume();
            });
        }
    };
    let result = real.deliver("pod-1", &[], &away).await;
    assert_eq!((result.outcome, result.failure, result.delivery.receipts), (Outcome::Delivered, None, 1));
    real.lies_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_begins_nothing() {
    let Some(real) = Real::start(1000).await else { return };
    std::fs::write(real.secrets.path().join("sftp/password"), "wrong").unwrap();
    let result = real.deliver("pod-1", &[], &|_| {}).await;
    assert_eq!((result.failure.unwrap().code.as_str(), result.delivery.begun), ("PasswordRefused", false));
    std::fs::write(real.secrets.path().join("sftp/password"), Sshd::PASSWORD).unwrap();
    assert_eq!(
        real.deliver("pod-2", &[], &|_| {}).await.outcome,
        Outcome::Delivered,
        "no claim stands in the way: port {}",
        real.sshd.port()
    );
    real.lies_once();
}
