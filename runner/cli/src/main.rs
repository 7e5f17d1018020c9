//! The command line: arguments in, an exit code out. What each command does is in its own module.

mod audit;
mod cli;
mod documents;
mod failure;
mod lint;
mod node;
mod objects;
mod run;
mod schema;
mod table;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command, Verify};
use failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Rows and secrets are never logged.
    let filter = tracing_subscriber::EnvFilter::new(format!("{},{}", cli.log, openreg_runner::log_ship::QUIET));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let result = match &cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Lint(arguments) => lint::lint(arguments),
        Command::Verify {
            what: Verify::Audit { file, noted },
        } => audit::verify(file, noted.clone()),
    };
    let code = result.unwrap_or_else(|failure| {
        failure.print();
        failure.code
    });
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// What a command answers: its exit code, or why it failed.
type Answer = Result<i32, Failure>;
