//! The process dies before or after each step, and another one takes over.

use std::mem::discriminant;
use std::time::Duration;

use openreg_plan::report::Outcome;
use tokio_util::sync::CancellationToken;

use super::super::decide::Step;
use super::super::file::When;
use super::world::{Mischief, World};

const NAME: &str = "report.csv";

#[tokio::test]
async fn a_death_at_any_step_leaves_one_file() {
    let steps = [
        Step::Look,
        Step::Claim { number: 1 },
        Step::Upload,
        Step::Commit,
        Step::Rename,
        Step::WriteReceipt { remove_temporary: false },
    ];
    for step in steps {
        for side in [When::Before, When::After] {
            let world = World::new(1, 1000, &[NAME]).await;
            let dies = |at: &Step, when| when == side && discriminant(at) == discriminant(&step);
            let first = world
                .deliver_with(world.request("pod-1", &[]), Mischief::None, &dies, CancellationToken::new())
                .await;
            assert_eq!(first.outcome, Outcome::Cancelled, "it must have died {side:?} {step:?}");
            world.nothing_partial();

            if first.delivery.begun && !world.has_receipt(NAME).await {
                let alive = world.deliver("pod-2", &[]).await;
                assert_eq!(alive.failure.unwrap().code, "ClaimHeld", "{side:?} {step:?}: pod-1 was not seen to end");
            }
            let second = world.deliver("pod-2", &["pod-1"]).await;
            assert_eq!((second.outcome, second.failure), (Outcome::Delivered, None), "{side:?} {step:?}");
            assert!(second.delivery.begun && second.delivery.receipts == 1);
            assert_eq!(world.lies(), [NAME], "{side:?} {step:?}: one file, no temporary one");
            assert_eq!(world.visible(), 1, "{side:?} {step:?}");
            world.nothing_partial();

            let third = world.deliver("pod-3", &[]).await;
            assert_eq!(
                (third.outcome, third.delivery.receipt_sha256),
                (Outcome::Delivered, second.delivery.receipt_sha256),
                "nothing is left to do"
            );
            assert_eq!(world.visible(), 1);
        }
    }
}

#[tokio::test]
async fn a_death_in_the_middle_of_the_upload_leaves_one_file() {
    let world = World::new(2, 1000, &[NAME]).await;
    let first = world.deliver_with(world.request("pod-1", &[]), Mischief::HangsInUpload, &|_, _| false, CancellationToken::new());
    assert!(tokio::time::timeout(Duration::from_millis(200), first).await.is_err(), "it hangs");
    assert_eq!(world.lies(), [".report.csv.pod-1"], "a part, under the temporary name");
    assert_eq!(world.deliver("pod-2", &["pod-1"]).await.outcome, Outcome::Delivered);
    assert_eq!((world.lies(), world.visible()), (vec![NAME.to_owned()], 1));
    world.nothing_partial();
}

#[tokio::test]
async fn several_files_go_in_order_and_resume() {
    let names = ["a.csv", "b.csv", "c.csv"];
    let world = World::new(3, 500, &names).await;
    let uploads = std::sync::atomic::AtomicU32::new(0);
    let dies = |at: &Step, when| when == When::After && *at == Step::Upload && uploads.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
    let first = world
        .deliver_with(world.request("pod-1", &[]), Mischief::None, &dies, CancellationToken::new())
        .await;
    assert_eq!((first.delivery.receipts, first.delivery.begun), (1, true));
    assert_eq!(world.lies(), [".b.csv.pod-1", "a.csv"]);
    let second = world.deliver("pod-2", &["pod-1"]).await;
    assert_eq!((second.outcome, second.delivery.receipts), (Outcome::Delivered, 3));
    assert_eq!((world.lies(), world.visible()), (names.map(str::to_owned).to_vec(), 3));
}

#[tokio::test]
async fn a_file_that_is_gone_after_committing_is_unknown_and_never_sent_again() {
    let world = World::new(4, 500, &[NAME]).await;
    let first = world
        .deliver_with(world.request("pod-1", &[]), Mischief::TakesAtOnce, &|_, _| false, CancellationToken::new())
        .await;
    assert_eq!((first.outcome, first.failure.unwrap().code.as_str()), (Outcome::Unknown, "DeliveryUnknown"));
    for pod in ["pod-2", "pod-3"] {
        let again = world.deliver(pod, &["pod-1", "pod-2"]).await;
        assert_eq!(again.outcome, Outcome::Unknown);
        assert!(again.delivery.begun && again.delivery.receipts == 0);
    }
    assert_eq!((world.lies(), world.visible()), (vec![], 1));
}
