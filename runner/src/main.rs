//! The runner's process: arguments, logs, signals; load the plan, execute it, leave the report, exit with its code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use openreg_parts::error::Class;
use openreg_plan::plan::PlanError;
use openreg_plan::report::{Outcome, Stage, TERMINATION_PATH};
use openreg_plan::{ProbePlan, RunPlan, Sha256};
use openreg_runner::deliver::{DeliverRequest, deliver};
use openreg_runner::generate::{OnProgress, generate};
use openreg_runner::log_ship::{LogShip, LogWriter, QUIET};
use openreg_runner::probe::probe;
use openreg_runner::report::{self, Done};
use openreg_runner::stage::{StageError, chain};
use openreg_runner::{Attempt, assemble};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How long log lines may take into the store at the end.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// How often the log says how far a run is.
const PROGRESS: Duration = Duration::from_secs(10);

/// Executes one plan.
#[derive(Parser)]
#[command(name = "openreg-runner", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Where the report of the job is left.
    #[arg(long, global = true, default_value = TERMINATION_PATH)]
    termination_path: PathBuf,
    /// Which log lines are written: as in the crate tracing's EnvFilter.
    #[arg(long, global = true, env = "OPENREG_LOG", default_value = "info")]
    log: String,
}

#[derive(Subcommand)]
enum Command {
    /// Make the file and seal the manifest.
    Generate(RunArguments),
    /// Deliver the sealed files to one destination.
    Deliver {
        #[command(flatten)]
        run: RunArguments,
        /// Index of the destination in the plan.
        #[arg(long)]
        destination: usize,
        /// SHA-256 of the sealed manifest.
        #[arg(long)]
        manifest_sha256: Sha256,
        /// UIDs of this run's pods that were seen to end, separated by commas.
        #[arg(long, value_delimiter = ',')]
        ended_pods: Vec<String>,
    },
    /// Check a connector, a destination or a store.
    Probe {
        /// Path of the probe's plan.
        #[arg(long)]
        plan: PathBuf,
    },
}

#[derive(Args)]
struct RunArguments {
    /// Path of the plan.
    #[arg(long)]
    plan: PathBuf,
    /// SHA-256 of the plan's bytes; another plan is refused.
    #[arg(long)]
    plan_sha256: Sha256,
    /// Number of the attempt, from 1.
    #[arg(long)]
    attempt: u32,
    /// UID of the pod.
    #[arg(long, env = "POD_UID")]
    pod_uid: String,
}

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = Arguments::parse();
    let (ship, writer) = LogShip::new(true);
    log_to(writer, &arguments.log);
    // A panic's text may quote a value; its place may not.
    std::panic::set_hook(Box::new(|panic| tracing::error!(at = panic.location().map(ToString::to_string), "panicked")));
    let done = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => {
            let done = runtime.block_on(guarded(arguments.command, ship));
            // A thread that a broken disk holds up must not hold up the report.
            runtime.shutdown_background();
            done
        }
        Err(error) => StageError::internal(Stage::Plan, format!("could not start: {error}")).into(),
    };
    let (report, code) = report::report(&done, started);
    tracing::info!(outcome = ?report.outcome, duration_ms = report.usage.duration_ms, vm_hwm_bytes = report.usage.vm_hwm_bytes, "ended: {:?}", report.outcome);
    if let Err(error) = report::leave(&report, &arguments.termination_path) {
        tracing::error!(error = %error, "could not leave the report at {}", arguments.termination_path.display());
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn log_to(writer: LogWriter, directives: &str) {
    let filter = EnvFilter::try_new(format!("{directives},{QUIET}")).unwrap_or_else(|_| EnvFilter::new(format!("info,{QUIET}")));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(writer).init();
}

/// Runs the command on a task of its own, so that a panic ends as a report too.
async fn guarded(command: Command, ship: LogShip) -> Done {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return StageError::internal(Stage::Plan, "could not install the TLS provider: another is there").into();
    }
    let stage = match command {
        Command::Generate(_) => Stage::Read,
        Command::Deliver { .. } => Stage::Deliver,
        Command::Probe { .. } => Stage::Probe,
    };
    let cancel = CancellationToken::new();
    let signals = tokio::spawn(stop_at_signal(cancel.clone()));
    let done = tokio::spawn(execute(command, ship, cancel)).await;
    signals.abort();
    done.unwrap_or_else(|_| Done::panicked(stage))
}

async fn stop_at_signal(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("could not listen for signals");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("told to stop");
    cancel.cancel();
}

async fn execute(command: Command, mut ship: LogShip, cancel: CancellationToken) -> Done {
    let done = match command {
        Command::Probe { plan } => match load_probe(&plan) {
            Ok(plan) => probe(&plan, cancel).await.map_or_else(Done::from, |()| Done::new(Outcome::Reachable)),
            Err(error) => error.into(),
        },
        Command::Generate(run) => match load(&run, &mut ship).await {
            Ok((plan, attempt, store)) => {
                let result = generate(&plan, &run.plan_sha256, &attempt, &store, &cancel, told()).await;
                result.map_or_else(Done::from, |generated| generated.done)
            }
            Err(error) => error.into(),
        },
        Command::Deliver {
            run,
            destination,
            manifest_sha256,
            ended_pods,
        } => match load(&run, &mut ship).await {
            Ok((plan, attempt, _)) => {
                let request = DeliverRequest {
                    destination,
                    attempt: attempt.number,
                    pod: attempt.pod,
                    ended_pods,
                    manifest_sha256,
                };
                let delivered = deliver(&plan, request, cancel, &|event| tracing::info!(?event, "delivery")).await;
                Done {
                    failure: delivered.failure,
                    delivery: Some(delivered.delivery),
                    ..Done::new(delivered.outcome)
                }
            }
            Err(error) => error.into(),
        },
    };
    if let Some(error) = &done.failure {
        tracing::error!(stage = ?error.stage, class = %error.class, code = error.code, hint = error.hint, "{}", error.message);
    }
    ship.finish(LOG_PATIENCE).await;
    done
}

/// The plan, this attempt, and the store, into which log lines go from now on.
async fn load(run: &RunArguments, ship: &mut LogShip) -> Result<(RunPlan, Attempt, openreg_parts::store::Store), StageError> {
    let plan = RunPlan::from_bytes(&read(&run.plan)?, Some(&run.plan_sha256)).map_err(|e| refused(&e))?;
    let attempt = Attempt {
        pod: run.pod_uid.clone(),
        number: run.attempt,
    };
    let store = assemble::store(&plan).await?;
    ship.start(store.clone(), plan.run.id.clone(), attempt.pod.clone());
    tracing::info!(
        run.id = plan.run.id,
        run.name = plan.run.name,
        attempt = attempt.number,
        pod.uid = attempt.pod,
        "run {} begins",
        plan.run.id
    );
    Ok((plan, attempt, store))
}

/// Logs how far the run is, every ten seconds.
fn told() -> OnProgress {
    let last = Mutex::new(Instant::now());
    Arc::new(move |progress| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= PROGRESS {
            *last = Instant::now();
            tracing::info!(rows.read = progress.read, violations = progress.violations, "{} rows read", progress.read);
        }
    })
}

fn load_probe(path: &Path) -> Result<ProbePlan, StageError> {
    serde_json::from_slice(&read(path)?).map_err(|e| refused(&PlanError::Syntax(e)))
}

fn read(path: &Path) -> Result<Vec<u8>, StageError> {
    std::fs::read(path).map_err(|e| {
        StageError::plain(
            Stage::Plan,
            Class::Internal,
            "PlanUnreadable",
            format!("could not read the plan {}: {e}", path.display()),
        )
        .with_hint("the plan's ConfigMap must be mounted there")
    })
}

fn refused(error: &PlanError) -> StageError {
    let (code, hint) = match error {
        PlanError::Syntax(_) => ("PlanInvalid", "operator and runner must be of one version"),
        PlanError::Version { .. } => ("PlanVersion", "operator and runner must be of one version"),
        PlanError::Digest { .. } => (
            "PlanDigestMismatch",
            "the plan's ConfigMap is not the one that the operator wrote: look who changed it, then run again",
        ),
        PlanError::Size { .. } => ("PlanTooLarge", "make the report smaller"),
    };
    StageError::plain(Stage::Plan, Class::Internal, code, chain(error)).with_hint(hint)
}
