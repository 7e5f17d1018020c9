//! Thousands of deliveries with random faults and deaths; two deliverers at once. A failure prints the seed.

use std::sync::Arc;

use openreg_parts::error::Class;
use openreg_plan::report::Outcome;
use tokio_util::sync::CancellationToken;

use super::super::decide::Step;
use super::super::file::When;
use super::world::{Mischief, World};

const NAME: &str = "report.csv";
/// Deliveries under random faults.
const DELIVERIES: u64 = 2_000;
/// Attempts after which a delivery should have come through.
const MAX_ATTEMPTS: usize = 60;

#[tokio::test]
async fn random_faults_never_send_twice() {
    let (mut attempts, mut unknown, mut cancelled, mut unsettled) = (0, 0, 0, 0);
    for seed in 0..DELIVERIES {
        let mut world = World::new(seed, 700, &[NAME]).await;
        // In every fourth one the receiver takes files away, in every fifth somebody cancels.
        let takes = seed % 4 == 0;
        // The one thing that nobody can tell: see the last paragraph of `decide`.
        world.halfway = !takes;
        let cancels = seed % 5 == 0;
        let mut taken = false;
        let mut pods: Vec<String> = Vec::new();
        let outcome = loop {
            assert!(pods.len() < MAX_ATTEMPTS, "seed {seed}: no end");
            let pod = format!("pod-{}", pods.len());
            let ended: Vec<&str> = pods.iter().map(String::as_str).collect();
            let cancel = CancellationToken::new();
            let dice = world.dice.clone();
            let (token, cancelling) = (cancel.clone(), cancels && dice.roll(3) == 0);
            let dies = move |_: &Step, _: When| {
                if cancelling && dice.roll(6) == 0 {
                    token.cancel();
                }
                dice.roll(25) == 0
            };
            let result = world.deliver_with(world.request(&pod, &ended), Mischief::Random, &dies, cancel).await;
            pods.push(pod);
            attempts += 1;
            world.nothing_partial();
            assert!(world.visible() <= 1, "seed {seed}: sent twice");
            let receipt = world.has_receipt(NAME).await;
            if takes && world.dice.roll(3) == 0 && std::fs::remove_file(world.path.join("in").join(NAME)).is_ok() {
                taken = true;
            }
            match result.outcome {
                Outcome::Delivered => assert!(receipt, "seed {seed}: delivered without a receipt"),
                Outcome::Failed => {
                    assert_eq!(result.failure.unwrap().class, Class::Transient, "seed {seed}");
                    // Once the file was visible, no failure may sound as if it were not.
                    assert!(world.visible() == 0 || result.delivery.unsettled, "seed {seed}: a visible file is denied");
                    unsettled += u32::from(result.delivery.unsettled);
                }
                _ => {}
            }
            if matches!(result.outcome, Outcome::Delivered | Outcome::Unknown) {
                break result.outcome;
            }
            cancelled += u32::from(result.outcome == Outcome::Cancelled);
        };
        match outcome {
            Outcome::Delivered => assert_eq!(world.visible(), 1, "seed {seed}"),
            _ => {
                assert!(taken, "seed {seed}: nobody took the file, so it must have been found");
                assert!(!world.has_receipt(NAME).await, "seed {seed}");
                unknown += 1;
            }
        }
    }
    println!(
        "{DELIVERIES} deliveries, {attempts} attempts, {cancelled} ended early, {unsettled} failed unsettled, {unknown} unknown, 0 sent twice, 0 partial, 0 without receipt"
    );
    assert!(attempts > DELIVERIES && unknown > 0 && cancelled > 0, "the faults must bite");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_at_once_one_delivers() {
    for seed in 0..100 {
        let world = Arc::new(World::new(seed, 5_000, &[NAME]).await);
        let tasks = ["pod-1", "pod-2"].map(|pod| {
            let world = world.clone();
            tokio::spawn(async move { world.deliver(pod, &[]).await })
        });
        let mut delivered = 0;
        for task in tasks {
            let result = task.await.unwrap();
            match result.outcome {
                Outcome::Delivered => delivered += 1,
                _ => assert_eq!(result.failure.unwrap().code, "ClaimHeld", "seed {seed}"),
            }
        }
        assert!(
            delivered >= 1 && world.visible() == 1,
            "seed {seed}: {delivered} delivered, visible {}",
            world.visible()
        );
        assert_eq!(world.lies(), [NAME], "seed {seed}");
        assert!(world.has_receipt(NAME).await);
    }
}
