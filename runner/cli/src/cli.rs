//! What may be written on the command line; the help texts are the user's reference.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Regulatory reports on this machine, without a cluster: the same plan and the same pipeline.
#[derive(Parser)]
#[command(name = "openreg", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Which log lines go to standard error: off, error, warn, info, debug.
    #[arg(long, global = true, env = "OPENREG_LOG", default_value = "warn", hide_env = true)]
    pub(crate) log: String,
}

const EXAMPLES: &str = "\
Examples:
  openreg run -f config/samples/quickstart.yaml --output out/
  openreg lint -f config/samples/
  openreg verify audit audit-acme.jsonl

Exit codes:
  0   all went well
  10  the report, a connector or an argument must be changed
  11  the data must be corrected, or a chain is broken
  20  the same command may succeed when it is tried again
  30  a fault of OpenReg itself";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a report: read, check, map, write the file.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArguments),
    /// Say what is wrong with documents, without a cluster.
    #[command(after_help = LINT_EXAMPLES)]
    Lint(LintArguments),
    /// Verify evidence.
    Verify {
        #[command(subcommand)]
        what: Verify,
    },
}

const RUN_EXAMPLES: &str = "\
The file holds the Report and the Connectors and Destinations that it names, as they are applied to a cluster. What is made
lies in the output directory: the report's file, manifest.json, violations.jsonl, and under delivered/ what a directory
destination would get. Other destinations are named and left alone. An earlier run's files there are replaced. The same
input gives the same bytes.

The period comes from --period-start and --period-end, else from a ReportRun for the report in the file, else from the
Report's annotation openreg.io/example-period: START/END.

Examples:
  openreg run -f config/samples/quickstart.yaml --output out/
  openreg run -f report.yaml -f connector.yaml --output out/ --period-start 2026-03-02T00:00:00Z --period-end 2026-03-03T00:00:00Z
  openreg run -f report.yaml --output out/ --set lei=529900T8BM49AURSDO55 --secrets secrets/

A Secret is a directory below --secrets: secrets/trades-db/ with the files username, password and allowedHosts.";

#[derive(Args)]
pub(crate) struct RunArguments {
    /// A file of YAML documents; may be given several times.
    #[arg(short = 'f', long = "file", required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The directory for what is made.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// The report to run, when the files hold more than one.
    #[arg(long, value_name = "NAME")]
    pub(crate) report: Option<String>,
    /// A parameter of the run.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// First instant of the period, such as 2026-03-02T00:00:00Z.
    #[arg(long, value_name = "INSTANT", requires = "period_end")]
    pub(crate) period_start: Option<String>,
    /// First instant after the period.
    #[arg(long, value_name = "INSTANT", requires = "period_start")]
    pub(crate) period_end: Option<String>,
    /// What `{run.plannedAt}` says [the end of the period].
    #[arg(long, value_name = "INSTANT")]
    pub(crate) planned_at: Option<jiff::Timestamp>,
    /// The directory that holds one directory a Secret, with a file a key.
    #[arg(long, value_name = "DIR")]
    pub(crate) secrets: Option<PathBuf>,
}

const LINT_EXAMPLES: &str = "\
Each problem is one line: file:line:column field: what is wrong and what to write. References are looked up among the
documents that are given. Documents of other groups than openreg.io are skipped.

Examples:
  openreg lint -f config/samples/
  openreg lint -f report.yaml connector.yaml";

#[derive(Args)]
pub(crate) struct LintArguments {
    /// Files of YAML documents, or directories of .yaml and .yml files.
    #[arg(short = 'f', long = "file", required = true, num_args = 1.., value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    /// Judge each document alone: do not look references up.
    #[arg(long)]
    pub(crate) alone: bool,
}

#[derive(Subcommand)]
pub(crate) enum Verify {
    /// Verify the audit chain of an export: no entry was changed, added, removed or moved.
    #[command(after_help = VERIFY_EXAMPLES)]
    Audit {
        /// The export, JSON lines; - reads standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// A head that an earlier verification printed: the chain must still have it.
        #[arg(long, value_name = "NUMBER:HASH")]
        noted: Option<openreg_audit::Noted>,
    },
}

const VERIFY_EXAMPLES: &str = "\
The head is printed: note it where nobody can change it, and give it with --noted the next time, to see that the end was not
cut off and nothing was written anew.

Examples:
  openreg verify audit audit-acme.jsonl
  openreg verify audit audit-acme.jsonl --noted 124:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  curl -sH \"Authorization: Bearer $TOKEN\" https://openreg.example/api/v1/audit/export | openreg verify audit -";

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("`{text}` is no pair: write NAME=VALUE"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err());
        let sets = Cli::try_parse_from(["openreg", "run", "-f", "x", "--output", "o", "--period-start", "2026-03-02T00:00:00Z"]);
        assert!(sets.is_err(), "a period has two ends");
    }
}
