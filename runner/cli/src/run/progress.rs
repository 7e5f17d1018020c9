//! One line that says how far a run is: redrawn on a terminal, plain elsewhere. On standard error.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use openreg_runner::generate::{OnProgress, Progress};

/// The line.
pub(super) struct Line {
    bar: ProgressBar,
    report: String,
}

impl Line {
    /// Begins it.
    pub(super) fn new(report: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        // Hidden by indicatif itself when standard error is no terminal.
        if bar.is_hidden() {
            eprintln!("running {report}");
        } else {
            bar.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_message(format!("running {report}"));
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self {
            bar,
            report: report.to_owned(),
        }
    }

    /// What the pipeline calls.
    pub(super) fn on_progress(&self) -> OnProgress {
        let (bar, report) = (self.bar.clone(), self.report.clone());
        Arc::new(move |Progress { read, violations }| bar.set_message(format!("running {report}: {read} rows read, {violations} violations")))
    }

    /// Ends it.
    pub(super) fn end(self, well: bool) {
        self.bar.finish_and_clear();
        if self.bar.is_hidden() {
            eprintln!("{} {}", if well { "ran" } else { "could not run" }, self.report);
        }
    }
}
