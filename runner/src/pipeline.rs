//! Check, map, encode: what a processor does, on a thread of its own, between reading and storing. Bounded: two batches
//! wait before it, a few chunks after it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::BytesMut;
use openreg_parts::error::Class;
use openreg_parts::format::Encoder;
use openreg_parts::rule::{Batch, KeyColumns, OrderCheck, Rule, Violations};
use openreg_parts::store::manifest::{Outcome, StoredObject};
use openreg_parts::transform::mapping::Mapping;
use openreg_plan::plan::WhenEmpty;
use openreg_plan::report::Stage;
use tokio::sync::mpsc;

use crate::judge::{self, Limit};
use crate::sink::{Closed, Outlet};
use crate::stage::StageError;

/// Bytes of a chunk for the store.
const CHUNK: usize = 256 << 10;
/// The most rows that are encoded before the chunk's size is looked at; fewer when they are wide.
const SLICE: usize = 1024;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows read.
    pub read: u64,
    /// Violations found.
    pub violations: u64,
}

/// Called after each batch.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// What the reader sends.
pub(crate) enum Feed {
    Rows(RecordBatch),
    /// There are no more rows; without this word, the source failed or nobody wants the file any more.
    End,
}

/// A rule at work.
pub(crate) struct ActiveRule {
    pub(crate) id: String,
    pub(crate) limit: Limit,
    pub(crate) rule: Box<dyn Rule>,
}

/// Everything between reading and storing.
pub(crate) struct Pipeline {
    pub(crate) order: Option<OrderCheck>,
    pub(crate) keys: Option<KeyColumns>,
    pub(crate) rules: Vec<ActiveRule>,
    pub(crate) violations: Violations,
    pub(crate) mapping: Mapping,
    pub(crate) encoder: Box<dyn Encoder>,
    pub(crate) when_empty: WhenEmpty,
}

/// What came of the rows.
#[derive(Debug)]
pub(crate) struct Processed {
    pub(crate) outcome: Outcome,
    pub(crate) read: u64,
    pub(crate) reported: u64,
    pub(crate) excluded: u64,
    pub(crate) counts: Vec<u64>,
    pub(crate) sample: Vec<serde_json::Value>,
    pub(crate) artifact: Option<StoredObject>,
    pub(crate) violations: Option<StoredObject>,
}

/// Why the pipeline ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its own fault.
    Failed(StageError),
    /// Reading or storing ended; they know why.
    Abandoned,
}

impl From<StageError> for Ended {
    fn from(error: StageError) -> Self {
        Self::Failed(error)
    }
}

impl From<Closed> for Ended {
    fn from(_: Closed) -> Self {
        Self::Abandoned
    }
}

/// Counts and bytes on the way.
struct State {
    read: u64,
    reported: u64,
    excluded: u64,
    out: BytesMut,
    /// No artifact any more: a rule has already stopped the run.
    stopped: bool,
    artifact: Outlet,
    lines: Outlet,
}

impl Pipeline {
    /// Takes batches until the last one. `artifact` and `lines` are finished only if there is something to keep.
    pub(crate) fn run(mut self, mut feed: mpsc::Receiver<Feed>, artifact: Outlet, lines: Outlet, progress: &OnProgress) -> Result<Processed, Ended> {
        let mut state = State {
            read: 0,
            reported: 0,
            excluded: 0,
            out: BytesMut::with_capacity(2 * CHUNK),
            stopped: false,
            artifact,
            lines,
        };
        self.encoder.begin(&mut state.out).map_err(StageError::at(Stage::Encode))?;
        loop {
            match feed.blocking_recv() {
                Some(Feed::Rows(rows)) => self.batch(rows, &mut state)?,
                Some(Feed::End) => break,
                None => return Err(Ended::Abandoned),
            }
            progress(Progress {
                read: state.read,
                violations: self.violations.total(),
            });
        }
        self.end(state)
    }

    fn batch(&mut self, rows: RecordBatch, state: &mut State) -> Result<(), Ended> {
        let first_row = state.read + 1;
        if let Some(order) = &mut self.order {
            order.check(&rows, first_row).map_err(StageError::at(Stage::Check))?;
        }
        let batch = Batch { rows, first_row };
        let length = batch.rows.num_rows();
        let mut exclude = if self.rules.iter().any(|r| r.limit.excludes()) {
            vec![false; length]
        } else {
            Vec::new()
        };
        for (i, active) in self.rules.iter_mut().enumerate() {
            let marks = active.limit.excludes().then_some(exclude.as_mut_slice());
            let mut found = self.violations.in_batch(i, &active.id, self.keys.as_ref(), (&batch.rows, first_row), marks);
            active.rule.check(&batch, &mut found).map_err(StageError::at(Stage::Check))?;
            // After each rule: the lines of all rules about all rows of a batch would be many batches' worth of memory.
            hand_over(&mut self.violations, &mut state.lines)?;
        }
        state.read += length as u64;
        let excluded = exclude.iter().filter(|e| **e).count();
        state.excluded += excluded as u64;
        state.reported += (length - excluded) as u64;
        state.stopped |= self
            .rules
            .iter()
            .zip(self.violations.counts())
            .any(|(rule, count)| rule.limit.stops_already(*count));
        if state.stopped {
            return Ok(());
        }
        let mapped = self.mapping.apply(&batch.rows).map_err(StageError::at(Stage::Transform))?;
        let slice = rows_at_once(&mapped);
        let mut at = 0;
        while at < length {
            // Kept rows lie in runs; a run is a slice, which copies nothing.
            let run = if excluded == 0 {
                length - at
            } else {
                exclude[at..].iter().take_while(|e| !**e).count()
            };
            let end = at + run;
            while at < end {
                let rows = slice.min(end - at);
                self.encoder
                    .encode(&mapped.slice(at, rows), &mut state.out)
                    .map_err(StageError::at(Stage::Encode))?;
                at += rows;
                if state.out.len() >= CHUNK {
                    state.artifact.push(state.out.split().freeze())?;
                    state.out.reserve(2 * CHUNK);
                }
            }
            if excluded > 0 {
                at += exclude[at..].iter().take_while(|e| **e).count();
            }
        }
        Ok(())
    }

    fn end(mut self, mut state: State) -> Result<Processed, Ended> {
        let mut limits = Vec::with_capacity(self.rules.len());
        for (i, mut active) in std::mem::take(&mut self.rules).into_iter().enumerate() {
            let mut more = true;
            while more {
                more = active
                    .rule
                    .finish(&mut self.violations.at_end(i, &active.id))
                    .map_err(StageError::at(Stage::Check))?;
                hand_over(&mut self.violations, &mut state.lines)?;
            }
            limits.push(active.limit);
        }
        let counts = self.violations.counts().to_vec();
        let stopped = limits.iter().zip(&counts).any(|(limit, count)| limit.stops(*count, state.read));
        let outcome = judge::outcome(stopped, state.reported, self.when_empty);
        let artifact = if outcome == Outcome::Complete {
            self.encoder.finish(&mut state.out).map_err(StageError::at(Stage::Encode))?;
            if !state.out.is_empty() {
                state.artifact.push(state.out.split().freeze())?;
            }
            Some(state.artifact.finish()?)
        } else {
            None
        };
        let violations = if self.violations.total() > 0 { Some(state.lines.finish()?) } else { None };
        // Nothing became a record of a file when there is no file.
        let reported = if artifact.is_some() { state.reported } else { 0 };
        Ok(Processed {
            outcome,
            read: state.read,
            reported,
            excluded: state.excluded,
            counts,
            sample: self.violations.sample().to_vec(),
            artifact,
            violations,
        })
    }
}

/// So many rows that a chunk stays near [`CHUNK`], however wide they are: chunks wait for the store, several at a time.
fn rows_at_once(batch: &RecordBatch) -> usize {
    let width = batch.get_array_memory_size() / batch.num_rows().max(1);
    (CHUNK / width.max(1)).clamp(1, SLICE)
}

fn hand_over(violations: &mut Violations, lines: &mut Outlet) -> Result<(), Closed> {
    let new = violations.take_lines();
    if new.is_empty() { Ok(()) } else { lines.push(new.into()) }
}

/// A plan that no resolved report can be.
pub(crate) fn plan_invalid(message: impl Into<String>) -> StageError {
    StageError::plain(Stage::Plan, Class::Internal, "PlanInvalid", message)
        .with_hint("operator and runner must be of one version; if they are, report this as a fault of OpenReg")
}
