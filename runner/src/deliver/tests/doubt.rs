//! What is said when a file may be visible and nothing proves it, and what is done so that this is rare.

use std::mem::discriminant;

use openreg_parts::store::key::Key;
use openreg_plan::digest::Sha256;
use openreg_plan::plan::Verify;
use openreg_plan::report::Outcome;
use tokio_util::sync::CancellationToken;

use super::super::Delivered;
use super::super::decide::Step;
use super::super::file::When;
use super::world::{Mischief, World};

const NAME: &str = "report.csv";

/// Delivers as pod-1; just before `step`, `path` becomes a directory, which no store can read or write as an object.
async fn spoiled(world: &World, step: &Step, key: &Key) -> Delivered {
    let spoils = |at: &Step, when| {
        if when == When::Before && discriminant(at) == discriminant(step) {
            let path = world.kept_at(key);
            let _ = std::fs::remove_file(&path);
            std::fs::create_dir_all(&path).unwrap();
        }
        false
    };
    world
        .deliver_with(world.request("pod-1", &[]), Mischief::None, &spoils, CancellationToken::new())
        .await
}

/// Whoever reads "failed" takes it for "not delivered", unless it is said that this is not settled.
#[tokio::test]
async fn a_failure_after_the_rename_is_unsettled() {
    let receipt = Step::WriteReceipt { remove_temporary: false };
    for (row, step, mischief) in [
        ("the receipt cannot be written", Some(receipt), Mischief::None),
        ("the receipt is written and cannot be read", Some(Step::Done), Mischief::None),
        ("the temporary name cannot be removed", None, Mischief::MayNotUnlink),
    ] {
        let world = World::new(5, 1000, &[NAME]).await;
        let key = world.receipt(NAME);
        let first = match &step {
            Some(step) => spoiled(&world, step, &key).await,
            None => {
                world
                    .deliver_with(world.request("pod-1", &[]), mischief, &|_, _| false, CancellationToken::new())
                    .await
            }
        };
        assert_eq!(first.outcome, Outcome::Failed, "{row}");
        assert_eq!(world.visible(), 1, "{row}");
        let said = (first.delivery.begun, first.delivery.receipts, first.delivery.unsettled);
        assert_eq!(said, (true, 0, true), "{row}: {:?}", first.failure);

        // The next attempt settles it, and says so.
        if step.is_some() {
            std::fs::remove_dir(world.kept_at(&key)).unwrap();
        }
        let second = world.deliver("pod-2", &["pod-1"]).await;
        assert_eq!((second.outcome, second.failure), (Outcome::Delivered, None), "{row}");
        assert_eq!((second.delivery.receipts, second.delivery.unsettled), (1, false), "{row}");
        assert_eq!((world.lies(), world.visible()), (vec![NAME.to_owned()], 1), "{row}");
    }
}

/// The other way round: doubt that is not there would make a person ask the receiver for nothing.
#[tokio::test]
async fn a_failure_before_the_rename_is_settled() {
    let world = World::new(6, 1000, &[NAME]).await;
    let failed = spoiled(&world, &Step::Commit, &world.claim(NAME, 2)).await;
    assert_eq!(
        (failed.outcome, failed.delivery.begun, failed.delivery.unsettled),
        (Outcome::Failed, true, false)
    );
    assert_eq!((world.lies(), world.visible()), (vec![], 0), "the temporary file is removed");

    // Another run renamed, and nobody wrote its receipt: that is the other run's doubt.
    let world = World::new(6, 1000, &[NAME]).await;
    let remote = format!("{}/{NAME}", world.destination.directory);
    let claim = serde_json::json!({"version": 1, "run": "another", "manifestSha256": Sha256::of(b"m"), "sha256": Sha256::of(b"f"), "size": 1,
        "pod": "pod-0", "attempt": 1});
    let committing = serde_json::json!({"version": 1, "run": "another", "pod": "pod-0", "temporary": ".report.csv.pod-0", "final": remote, "size": 1,
        "sha256": Sha256::of(b"f")});
    world.store.create(&world.claim(NAME, 1), claim.to_string().into()).await.unwrap();
    world.store.create(&world.committing(NAME), committing.to_string().into()).await.unwrap();
    let refused = world.deliver("pod-1", &["pod-0"]).await;
    assert_eq!(refused.failure.unwrap().code, "NameClaimed");
    assert_eq!((refused.delivery.begun, refused.delivery.unsettled), (false, false));
}

/// A connection breaks, and the receiver carries out the rename while the next connection already looks.
#[tokio::test]
async fn a_rename_between_two_looks_is_seen() {
    for verify in [Verify::Size, Verify::SizeAndHash] {
        let mut world = World::new(7, 1000, &[NAME]).await;
        world.destination.verify = verify;
        let result = world
            .deliver_with(world.request("pod-1", &[]), Mischief::RenamesLate, &|_, _| false, CancellationToken::new())
            .await;
        assert_eq!((result.outcome, result.failure), (Outcome::Delivered, None), "{verify:?}");
        assert_eq!((world.lies(), world.visible()), (vec![NAME.to_owned()], 1), "{verify:?}");
    }
}

/// A pod that was taken for ended, and is not: it must notice before it commits that another holds the name.
#[tokio::test]
async fn who_lost_the_claim_does_not_commit() {
    let world = World::new(8, 1000, &[NAME]).await;
    let taken_over = |at: &Step, when| {
        if when == When::Before && *at == Step::Commit {
            let first = std::fs::read(world.kept_at(&world.claim(NAME, 1))).unwrap();
            let mut claim: serde_json::Value = serde_json::from_slice(&first).unwrap();
            claim["pod"] = "pod-2".into();
            std::fs::write(world.kept_at(&world.claim(NAME, 2)), claim.to_string()).unwrap();
        }
        false
    };
    let result = world
        .deliver_with(world.request("pod-1", &[]), Mischief::None, &taken_over, CancellationToken::new())
        .await;
    let failure = result.failure.unwrap();
    assert_eq!((failure.code.as_str(), result.delivery.unsettled), ("ClaimHeld", false));
    assert!(failure.message.contains("pod-2"), "{}", failure.message);
    assert!(!world.has(&world.committing(NAME)).await);
    assert!(!world.has(&world.claim(NAME, 3)).await, "what is not its own is not given back");
    assert_eq!(world.visible(), 0);
    assert_eq!(world.deliver("pod-2", &[]).await.outcome, Outcome::Delivered);
    assert_eq!((world.lies(), world.visible()), (vec![NAME.to_owned()], 1), "what pod-1 left is gone, too");
}

/// `committing` was asked for and may stand, though it is not seen: without the temporary file it could never be settled.
#[tokio::test]
async fn who_asked_to_commit_leaves_the_temporary_file() {
    let world = World::new(9, 1000, &[NAME]).await;
    let (committing, cancel) = (world.kept_at(&world.committing(NAME)), CancellationToken::new());
    let token = cancel.clone();
    let at = |step: &Step, when| {
        if when == When::Before && *step == Step::Commit {
            // A name that is taken, with nothing to read.
            std::os::unix::fs::symlink("nowhere", &committing).unwrap();
            token.cancel();
        }
        false
    };
    let first = world.deliver_with(world.request("pod-1", &[]), Mischief::None, &at, cancel.clone()).await;
    assert_eq!((first.outcome, first.failure), (Outcome::Cancelled, None));
    assert_eq!((first.delivery.begun, first.delivery.unsettled), (true, false), "nobody renamed");
    assert_eq!(world.lies(), [".report.csv.pod-1"]);
    assert!(!world.has(&world.claim(NAME, 2)).await, "the name is not given back");
    std::fs::remove_file(&committing).unwrap();
    assert_eq!(world.deliver("pod-2", &["pod-1"]).await.outcome, Outcome::Delivered);
    assert_eq!((world.lies(), world.visible()), (vec![NAME.to_owned()], 1));
}
