//! What a delivery refuses, when it stops, and what it says then.

use openreg_parts::error::Class;
use openreg_parts::store::key::Key;
use openreg_plan::digest::Sha256;
use openreg_plan::plan::Verify;
use openreg_plan::report::Outcome;
use tokio_util::sync::CancellationToken;

use super::super::decide::Step;
use super::super::file::When;
use super::world::{Mischief, RUN, World};

const NAME: &str = "report.csv";

#[tokio::test]
async fn a_foreign_file_is_not_replaced() {
    let world = World::new(1, 100, &[NAME]).await;
    std::fs::write(world.path.join("in").join(NAME), "theirs").unwrap();
    let result = world.deliver("pod-1", &[]).await;
    let failure = result.failure.unwrap();
    assert_eq!(
        (failure.class, failure.code.as_str(), result.delivery.begun),
        (Class::Config, "NameTaken", false)
    );
    assert!(failure.message.contains(NAME) && failure.hint.is_some());
    assert_eq!(std::fs::read(world.path.join("in").join(NAME)).unwrap(), b"theirs");
}

#[tokio::test]
async fn a_name_belongs_to_its_first_run() {
    let world = World::new(1, 100, &[NAME]).await;
    let remote = format!("{}/{NAME}", world.destination.directory);
    let claim = serde_json::json!({"version": 1, "run": "another", "manifestSha256": Sha256::of(b"m"), "sha256": Sha256::of(b"f"), "size": 1, "pod": "pod-0", "attempt": 1});
    world
        .store
        .create(
            &Key::Claim {
                destination: "d-1".into(),
                remote,
                number: 1,
            },
            claim.to_string().into(),
        )
        .await
        .unwrap();
    let result = world.deliver("pod-1", &["pod-0"]).await;
    let failure = result.failure.unwrap();
    assert_eq!(
        (failure.class, failure.code.as_str(), result.delivery.begun),
        (Class::Config, "NameClaimed", false)
    );
    assert!(failure.message.contains("another"), "{}", failure.message);
    assert!(world.lies().is_empty());
}

/// A run that failed or was cancelled before anything could be seen must not keep the name from the next run.
#[tokio::test]
async fn a_name_that_is_not_used_is_given_back() {
    for cancelled in [false, true] {
        let world = World::new(1, 100, &[NAME]).await;
        let remote = format!("{}/{NAME}", world.destination.directory);
        let claim = |number| {
            Key::Claim {
                destination: "d-1".into(),
                remote: remote.clone(),
                number,
            }
            .to_string()
        };
        let directory = world.path.join("in");
        let cancel = CancellationToken::new();
        if !cancelled {
            std::fs::remove_dir(&directory).unwrap();
        }
        let at = |step: &Step, when| {
            if cancelled && matches!(step, Step::Claim { .. }) && when == When::After {
                cancel.cancel();
            }
            false
        };
        let first = world.deliver_with(world.request("pod-1", &[]), Mischief::None, &at, cancel.clone()).await;
        let code = first.failure.map(|f| f.code);
        assert_eq!(code.as_deref(), if cancelled { None } else { Some("DirectoryMissing") });

        // The same records, as another run would have left them.
        for number in [1, 2] {
            let bytes = world.store.get(&claim(number), 1 << 14).await.unwrap().expect("a claim");
            let mut record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(record.get("released"), (number == 2).then_some(&serde_json::Value::Bool(true)));
            record["run"] = "another".into();
            std::fs::write(world.path.join("store/tenant").join(claim(number)), record.to_string()).unwrap();
        }
        std::fs::create_dir_all(&directory).unwrap();
        let second = world.deliver("pod-2", &[]).await;
        assert_eq!((second.outcome, second.failure), (Outcome::Delivered, None));
        assert_eq!((world.lies(), world.visible()), (vec![NAME.to_owned()], 1));
        let third = world.store.get(&claim(3), 1 << 14).await.unwrap().expect("a claim");
        assert!(String::from_utf8_lossy(&third).contains("pod-2"));
    }
}

/// Cancelled after the pod that held the name died: nobody else can give it back.
#[tokio::test]
async fn the_name_of_a_dead_pod_is_given_back_when_the_run_is_cancelled() {
    let world = World::new(1, 100, &[NAME]).await;
    let dies = |step: &Step, when| matches!(step, Step::Claim { .. }) && when == When::After;
    world
        .deliver_with(world.request("pod-1", &[]), Mischief::None, &dies, CancellationToken::new())
        .await;
    for (ended, released) in [(vec![], false), (vec!["pod-1"], true)] {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let result = world.deliver_with(world.request("pod-2", &ended), Mischief::None, &|_, _| false, cancel).await;
        assert_eq!(result.outcome, if released { Outcome::Cancelled } else { Outcome::Failed });
        let key = Key::Claim {
            destination: "d-1".into(),
            remote: format!("{}/{NAME}", world.destination.directory),
            number: 2,
        };
        let second = world.store.get(&key.to_string(), 1 << 14).await.unwrap();
        assert_eq!(second.is_some_and(|b| String::from_utf8_lossy(&b).contains("\"released\":true")), released);
    }
}

#[tokio::test]
async fn what_arrives_otherwise_is_not_renamed() {
    for (mischief, verify, noticed) in [
        (Mischief::LosesBytes, Verify::Size, true),
        (Mischief::LosesBytes, Verify::SizeAndHash, true),
        (Mischief::ChangesBytes, Verify::SizeAndHash, true),
        // The table must be able to fail: with the size alone nobody notices changed bytes.
        (Mischief::ChangesBytes, Verify::Size, false),
    ] {
        let mut world = World::new(1, 1000, &[NAME]).await;
        world.destination.verify = verify;
        let result = world
            .deliver_with(world.request("pod-1", &[]), mischief, &|_, _| false, CancellationToken::new())
            .await;
        if noticed {
            let failure = result.failure.unwrap();
            assert_eq!(
                (failure.class, failure.code.as_str(), result.delivery.begun),
                (Class::Transient, "VerifyFailed", true),
                "{mischief:?}"
            );
            assert!(world.lies().is_empty(), "the temporary file is removed");
        } else {
            assert_eq!(result.outcome, Outcome::Delivered);
        }
    }
}

#[tokio::test]
async fn a_changed_artifact_or_manifest_is_not_sent() {
    let world = World::new(1, 1000, &[NAME]).await;
    let artifact = world.path.join("store/tenant/runs").join(RUN).join("maker/artifacts").join(NAME);
    let sealed = std::fs::read(&artifact).unwrap();
    let mut same_size = sealed.clone();
    same_size[999] ^= 1;
    for (bytes, code) in [(same_size, "ArtifactChanged"), (sealed[1..].to_vec(), "ArtifactChanged")] {
        std::fs::write(&artifact, bytes).unwrap();
        let result = world.deliver("pod-1", &[]).await;
        let failure = result.failure.unwrap();
        assert_eq!((failure.class, failure.code.as_str()), (Class::Internal, code));
        assert!(world.lies().is_empty(), "the temporary file is removed");
    }
    std::fs::remove_file(&artifact).unwrap();
    assert_eq!(world.deliver("pod-1", &[]).await.failure.unwrap().code, "ArtifactMissing");
    let manifest = world.path.join("store/tenant/runs").join(RUN).join("manifest.json");
    let away = world.path.join("away");
    std::fs::rename(&manifest, &away).unwrap();
    let failure = world.deliver("pod-1", &[]).await.failure.unwrap();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Internal, "ManifestMissing"));
    assert!(failure.hint.is_some(), "it says what to do next");
    std::fs::rename(&away, &manifest).unwrap();
    std::fs::write(&artifact, sealed).unwrap();

    let mut request = world.request("pod-1", &[]);
    request.manifest_sha256 = Sha256::of(b"another");
    let result = world.deliver_with(request, Mischief::None, &|_, _| false, CancellationToken::new()).await;
    assert_eq!(result.failure.unwrap().code, "ManifestChanged");
    assert_eq!(world.deliver("pod-1", &[]).await.outcome, Outcome::Delivered, "the same pod may go on");
}

#[tokio::test]
async fn cancelling_tells_the_truth() {
    for (step, side, begun, delivered) in [
        (Step::Look, When::Before, false, false),
        (Step::Claim { number: 1 }, When::After, true, false),
        (Step::Upload, When::After, true, false),
        (Step::Commit, When::Before, true, true),
        (Step::Commit, When::After, true, true),
        (Step::Rename, When::After, true, true),
    ] {
        let world = World::new(1, 1000, &[NAME]).await;
        let cancel = CancellationToken::new();
        let token = cancel.clone();
        let at = |now: &Step, when| {
            if *now == step && when == side {
                token.cancel();
            }
            false
        };
        let result = world.deliver_with(world.request("pod-1", &[]), Mischief::None, &at, cancel.clone()).await;
        let outcome = if delivered { Outcome::Delivered } else { Outcome::Cancelled };
        assert_eq!(
            (result.outcome, result.delivery.begun, result.failure),
            (outcome, begun, None),
            "{side:?} {step:?}"
        );
        assert_eq!(world.lies().len(), usize::from(delivered), "{side:?} {step:?}: nothing temporary is left");
    }
}

#[tokio::test]
async fn a_stuck_receiver_costs_no_more_than_the_timeout() {
    let mut world = World::new(1, 1000, &[NAME]).await;
    world.destination.timeout_seconds = 1;
    let result = world
        .deliver_with(world.request("pod-1", &[]), Mischief::HangsInUpload, &|_, _| false, CancellationToken::new())
        .await;
    let failure = result.failure.unwrap();
    assert_eq!(
        (failure.class, failure.code.as_str(), result.delivery.begun),
        (Class::Transient, "DeliverTimeout", true)
    );
    assert!(world.lies().is_empty(), "the temporary file is removed");
}
