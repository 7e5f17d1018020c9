//! `openreg-api`: serve the API and the page, record runs, migrate the database, manage users. The only anyhow.

mod cli;
mod user;

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use openreg_api::app::App;
use openreg_api::auth::token::Signer;
use openreg_api::cluster::current::Current;
use openreg_api::cluster::kubernetes::Kubernetes;
use openreg_api::db::{self, Db};
use openreg_api::metrics::{HttpMetrics, RecorderMetrics};
use openreg_api::recorder::settle::{GRACE, Recorder};
use openreg_api::recorder::{self, Leader};
use openreg_api::stores::Stores;
use openreg_api::{router, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, watch};
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command, MigrateOptions, RecordOptions, ServeOptions};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_new(&cli.log).with_context(|| format!("could not read the log filter {}", cli.log))?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    // One provider of cryptography for the whole process: rustls panics on an ambiguous default.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match cli.command {
        Command::Serve(options) => serve_api(options).await,
        Command::Record(options) => record(options).await,
        Command::Migrate(options) => migrate(options).await,
        Command::User(command) => user::run(command).await,
        Command::Openapi => {
            let text = router::document().to_pretty_json().context("could not write the document")?;
            writeln!(std::io::stdout(), "{text}").context("could not print")
        }
    }
}

async fn serve_api(options: ServeOptions) -> anyhow::Result<()> {
    let db = Db::open(&options.database.database_url, options.connections)?;
    let cluster = Arc::new(Kubernetes::connect().await?);
    let app = App {
        db,
        tenants: Current::new(cluster.clone()),
        stores: Stores::new(cluster.clone(), options.stores),
        cluster,
        signer: Signer::new(options.jwt_key.as_bytes())?,
        secure_cookies: !options.insecure_cookies,
        metrics: HttpMetrics::default(),
        changes: broadcast::channel(1024).0,
    };
    let listener = TcpListener::bind(&options.listen)
        .await
        .with_context(|| format!("could not listen on {}", options.listen))?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    serve::serve(app, listener, options.web_dir, stopped()?).await.context("could not serve")
}

async fn record(options: RecordOptions) -> anyhow::Result<()> {
    let db = Db::open(&options.database.database_url, options.connections)?;
    let cluster = Kubernetes::connect().await?;
    let shared = Arc::new(cluster.clone());
    let recorder = Recorder {
        db: db.clone(),
        stores: Stores::new(shared.clone(), options.stores),
        cluster: shared,
        grace: GRACE,
        relist: recorder::RELIST,
    };
    let metrics = RecorderMetrics::default();
    let listener = TcpListener::bind(&options.listen)
        .await
        .with_context(|| format!("could not listen on {}", options.listen))?;
    let probes = recorder::probe::router(db.clone(), metrics.clone());
    let stop = stopped()?;
    let probing = tokio::spawn(async move { axum::serve(listener, probes).await });
    recorder::run(recorder, Leader::new(db), metrics, || cluster.feed(), stop).await;
    probing.abort();
    Ok(())
}

async fn migrate(options: MigrateOptions) -> anyhow::Result<()> {
    let url = options.owner_url.as_deref().unwrap_or(&options.database.database_url);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(options.wait);
    loop {
        match db::migrate(url, options.app_login.as_deref()).await {
            // A database that is starting, next to the pod that migrates it.
            Err(e) if e.is_outage() && std::time::Instant::now() < end => {
                tracing::info!(error = %openreg_api::error::chain(&e), "waiting for the database");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            Err(e) => return Err(e.into()),
            Ok(()) => break,
        }
    }
    tracing::info!("the database is migrated");
    Ok(())
}

/// Becomes true at SIGTERM or SIGINT.
fn stopped() -> anyhow::Result<watch::Receiver<bool>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        let _ = sender.send(true);
    });
    Ok(receiver)
}
