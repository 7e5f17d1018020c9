//! Starts the operator: command line, logs, client, health, leadership, controllers; ends it on SIGTERM. The only place
//! that uses `anyhow`.
//!
//! ```text
//! health and metrics ─ always
//! Lease acquired ─► watches fill the caches ─► controllers
//!        └ lost ─► the process ends at once, code 1 (see `leader`)
//! SIGTERM ─► controllers finish what they do ─► Lease given back ─► code 0
//! ```

#![expect(unreachable_pub, reason = "a program exports nothing: pub is what a module offers to its neighbours")]

mod cli;
mod context;
mod controllers;
mod events;
mod health;
mod labels;
mod leader;
mod metrics;
mod pod;
mod policies;
mod read;
mod run_gauges;
mod stores;
mod telemetry;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use kube::client::ClientBuilder;
use kube::runtime::events::{Recorder, Reporter};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long controllers may take to finish after SIGTERM; the pod has 30 s.
const DRAIN: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = cli::Cli::parse();
    telemetry::start(&cli.log).context("could not read --log")?;
    // One provider for the whole process, or rustls panics when two are compiled in.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();

    let progress = health::WatchProgress::default();
    let metrics = metrics::Metrics::new();
    let ready = Arc::new(AtomicBool::new(false));
    let shutdown = CancellationToken::new();
    let pages = CancellationToken::new();

    let listener = tokio::net::TcpListener::bind(cli.listen)
        .await
        .with_context(|| format!("could not listen on {}", cli.listen))?;
    let health = health::Health {
        progress: progress.clone(),
        stall: cli.watch_stall,
        ready: Arc::clone(&ready),
        metrics: metrics.clone(),
    };
    let pages_served = tokio::spawn(health.serve(listener, pages.clone()));

    let config = kube::Config::infer()
        .await
        .context("could not find a cluster: set KUBECONFIG, or run in a pod")?;
    let client = ClientBuilder::try_from(config)
        .context("could not make a client for the cluster")?
        .with_layer(&health::StampLayer(progress.clone()))
        .build();
    let identity = cli.identity();
    let (stores, watches) = stores::stores();
    metrics.observe_runs(stores.runs.clone());
    let (events, writer) = events::events(Recorder::new(
        client.clone(),
        Reporter {
            controller: cli.config().manager,
            instance: Some(identity.clone()),
        },
    ));
    let telling = tokio::spawn(writer.run());
    let context = Arc::new(context::Context {
        events,
        client: client.clone(),
        config: cli.config(),
        metrics: metrics.clone(),
        stores: stores.clone(),
        policies: policies::Policies::default(),
    });
    tracing::info!(version = env!("CARGO_PKG_VERSION"), identity, "openreg-operator starts");

    tokio::spawn(on_signal(shutdown.clone()));
    // One that waits for the Lease is ready to take over.
    ready.store(true, Ordering::Relaxed);
    let election = leader::Election::new(client.clone(), &cli.namespace, &cli.lease, &identity);
    let Some(lease) = election.acquire(&shutdown).await else {
        tracing::info!("stopped before the lease was acquired");
        return Ok(());
    };
    metrics.leader(true);
    ready.store(false, Ordering::Relaxed);
    stores::plurals().iter().for_each(|plural| progress.expect(plural));

    // The Lease is given back only after the last write: its token is cancelled last.
    let holding = CancellationToken::new();
    let work = async {
        let watching = tokio::spawn(watches.run(client, stores.clone(), metrics.clone(), holding.clone()));
        tokio::select! {
            filled = stores.ready() => if !filled { anyhow::bail!("watches ended early") },
            () = shutdown.cancelled() => return Ok(()),
        }
        ready.store(true, Ordering::Relaxed);
        tracing::info!("caches are filled, controllers start");
        let mut controlling = tokio::spawn(controllers::run(context, shutdown.clone()));
        tokio::select! {
            ended = &mut controlling => {
                ended.context("a controller panicked")?;
                anyhow::ensure!(shutdown.is_cancelled(), "controllers ended early");
            }
            ended = watching => {
                ended.context("a watch panicked")?;
                anyhow::bail!("watches ended early");
            }
            () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => tracing::warn!(seconds = DRAIN.as_secs(), "controllers did not finish in time"),
        }
        Ok(())
    };
    tokio::pin!(work);
    let held = election.hold(lease, &holding);
    tokio::pin!(held);
    let result = tokio::select! {
        lost = &mut held => {
            // No drain: another process may be the leader already.
            if let Err(error) = lost {
                tracing::error!(error = telemetry::chain(&error), "lost the lease, ending at once");
            }
            std::process::exit(1);
        }
        result = &mut work => result,
    };
    // The context is gone with the controllers, so the last Events are on their way.
    let _ = tokio::time::timeout(Duration::from_secs(1), telling).await;
    holding.cancel();
    metrics.leader(false);
    // Work is done, so a Lease that cannot be given back does no harm.
    let _ = held.await;
    pages.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), pages_served).await;
    tracing::info!("openreg-operator ends");
    result
}

/// Cancels the token on SIGTERM or Ctrl+C.
async fn on_signal(shutdown: CancellationToken) {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(error) => {
                tracing::error!(error = error.to_string(), "could not listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminated => {}
        result = tokio::signal::ctrl_c() => if result.is_err() { std::future::pending::<()>().await },
    }
    tracing::info!("told to stop, finishing what is under way");
    shutdown.cancel();
}
