//! `openreg run`: files in, a report out. Gathers, resolves, runs the real pipeline, says what came of it.

mod choose;
mod local;
mod output;
mod progress;
mod show;

use openreg_plan::report::Outcome;
use openreg_plan::{RunPlan, exit};
use openreg_runner::deliver::{DeliverRequest, deliver};
use openreg_runner::generate::{Generated, generate};
use openreg_runner::stage::Stop;
use openreg_runner::{Attempt, assemble};
use tokio_util::sync::CancellationToken;

use crate::Answer;
use crate::cli::RunArguments;
use crate::documents;
use crate::failure::Failure;
use crate::objects::objects;
use output::Output;
use progress::Line;

/// The name of the one pod that there is.
const POD: &str = "local";
/// The exit code of a process that was interrupted, as a shell shows it.
const INTERRUPTED: i32 = 128 + 2;

/// What came of the delivery to one destination.
pub(crate) struct Delivery {
    pub(crate) destination: String,
    /// Where its files lie, or why they do not.
    pub(crate) result: Result<String, String>,
}

/// Runs the report that the arguments name.
pub(crate) fn run(arguments: &RunArguments) -> Answer {
    let mut all = Vec::new();
    for file in &arguments.files {
        let found = documents::read(file)?.map_err(|e| {
            Failure::config(format!(
                "could not read {}:{}:{}: it is no YAML: {}",
                e.file.display(),
                e.position.0,
                e.position.1,
                e.message
            ))
        })?;
        all.extend(found);
    }
    let (objects, found) = objects(&all);
    if !found.is_empty() {
        let lines: Vec<String> = found
            .iter()
            .map(|(index, problem)| {
                let (line, column) = all[*index].position(&problem.field);
                format!("  {}:{line}:{column} {problem}", all[*index].file.display())
            })
            .collect();
        return Err(Failure::config(format!("could not use the documents\n{}", lines.join("\n"))));
    }
    let chosen = choose::choose(&objects, arguments)?;
    let plan = choose::plan(&objects, &chosen)?;
    let bytes = plan.to_bytes().map_err(|e| Failure::config(openreg_runner::stage::chain(&e)))?;
    let sha256 = openreg_plan::Sha256::of(&bytes);

    let output = Output::prepare(&arguments.output)?;
    let scratch = tempfile::tempdir().map_err(|e| Failure::io("make a temporary directory in", &std::env::temp_dir(), &e))?;
    let here = local::Here {
        objects: &objects,
        output: &output,
        scratch: scratch.path(),
        secrets: arguments.secrets.as_deref(),
    };
    let (plan, left_alone) = local::localised(plan, &here)?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::config(format!("could not start: {e}")))?;
    runtime.block_on(async {
        // Only an error if one is installed already, and then there is one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let cancel = CancellationToken::new();
        let signal = cancel.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                signal.cancel();
            }
        });
        let generated = match pipeline(&plan, &sha256, &cancel).await {
            Ok(generated) => generated,
            Err(Stop::Cancelled) => {
                return Err(Failure {
                    code: INTERRUPTED,
                    text: "interrupted; nothing was made".to_owned(),
                    hint: None,
                });
            }
            Err(Stop::Failed(error)) => return Err(error.into()),
        };
        let mut deliveries: Vec<Delivery> = Vec::new();
        if generated.done.outcome == Outcome::Generated {
            deliveries = delivered(&plan, &generated, &cancel).await;
            deliveries.extend(left_alone);
        }
        output.collect(&plan, &generated.manifest, &deliveries)?;
        show::show(&plan, &generated, &deliveries, &output)?;
        let failed = deliveries
            .iter()
            .any(|d| d.result.is_err() && plan.destinations.iter().any(|p| p.name == d.destination));
        Ok(match generated.done.outcome {
            Outcome::Blocked => exit::DATA,
            _ if failed => exit::CONFIG,
            _ => exit::OK,
        })
    })
}

async fn pipeline(plan: &RunPlan, sha256: &openreg_plan::Sha256, cancel: &CancellationToken) -> Result<Generated, Stop> {
    let store = assemble::store(plan).await.map_err(Stop::Failed)?;
    let line = Line::new(&plan.run.report);
    let attempt = Attempt {
        pod: POD.to_owned(),
        number: 1,
    };
    let result = generate(plan, sha256, &attempt, &store, cancel, line.on_progress()).await;
    line.end(result.is_ok());
    result
}

async fn delivered(plan: &RunPlan, generated: &Generated, cancel: &CancellationToken) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    let Some(manifest) = &generated.done.manifest else { return deliveries };
    for (index, destination) in plan.destinations.iter().enumerate() {
        // A receiver has its directory; here nobody made one.
        if let Err(e) = std::fs::create_dir_all(&destination.directory) {
            deliveries.push(Delivery {
                destination: destination.name.clone(),
                result: Err(format!("could not make {}: {e}", destination.directory)),
            });
            continue;
        }
        let request = DeliverRequest {
            destination: index,
            attempt: 1,
            pod: POD.to_owned(),
            ended_pods: Vec::new(),
            manifest_sha256: manifest.sha256.clone(),
        };
        let done = deliver(plan, request, cancel.clone(), &|_| {}).await;
        let result = match (done.outcome, done.failure) {
            (Outcome::Delivered, _) => Ok(done.delivery.remote.unwrap_or_default()),
            (_, Some(error)) => Err(error.message),
            (outcome, None) => Err(format!("{outcome:?}")),
        };
        deliveries.push(Delivery {
            destination: destination.name.clone(),
            result,
        });
    }
    deliveries
}
