//! Violations as they are found: counted, written out as JSON lines, and marked for the rows of the current batch.
//!
//! A line: `{"rule":"R-1","dataset":"trades","row":12,"columns":["lei"],"key":{"trade_ref":"T-7"}}`. Key values are data:
//! they go into these lines, which lie in the tenant's store, and nowhere else.

use arrow_array::RecordBatch;

use super::key::{KeyColumns, json_text};

/// What was found so far by all rules of a dataset.
#[derive(Debug)]
pub struct Violations {
    dataset: String,
    counts: Vec<u64>,
    lines: Vec<u8>,
    sample: Vec<serde_json::Value>,
}

/// Lines that are kept for the run's report.
pub const SAMPLE: usize = 20;

/// What one rule finds in one batch.
pub struct Found<'a> {
    violations: &'a mut Violations,
    rule: usize,
    id: &'a str,
    keys: Option<&'a KeyColumns>,
    batch: Option<(&'a RecordBatch, u64)>,
    /// One flag a row of the batch: whether this rule leaves the row out.
    exclude: Option<&'a mut [bool]>,
}

impl Violations {
    /// Nothing found yet by any of `rules` rules over the dataset.
    pub fn new(dataset: impl Into<String>, rules: usize) -> Self {
        Self {
            dataset: dataset.into(),
            counts: vec![0; rules],
            lines: Vec::new(),
            sample: Vec::new(),
        }
    }

    /// Violations of each rule.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The first [`SAMPLE`] lines of each attempt, without the keys' values.
    pub fn sample(&self) -> &[serde_json::Value] {
        &self.sample
    }

    /// The lines written since the last call.
    pub fn take_lines(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    /// For the rule with index `rule` and this `id`, over a batch that begins with row `first_row`. Rows that violate it
    /// are marked in `exclude`, when it excludes.
    pub fn in_batch<'a>(
        &'a mut self,
        rule: usize,
        id: &'a str,
        keys: Option<&'a KeyColumns>,
        batch: (&'a RecordBatch, u64),
        exclude: Option<&'a mut [bool]>,
    ) -> Found<'a> {
        Found {
            violations: self,
            rule,
            id,
            keys,
            batch: Some(batch),
            exclude,
        }
    }

    /// For the rule with index `rule` and this `id`, after the last row.
    pub fn at_end<'a>(&'a mut self, rule: usize, id: &'a str) -> Found<'a> {
        Found {
            violations: self,
            rule,
            id,
            keys: None,
            batch: None,
            exclude: None,
        }
    }
}

impl Found<'_> {
    /// The row with this index in the batch violates the rule by `columns`.
    pub fn row(&mut self, index: usize, columns: &[&str]) {
        if let Some(flag) = self.exclude.as_mut().and_then(|flags| flags.get_mut(index)) {
            *flag = true;
        }
        let Some((batch, first_row)) = self.batch else { return };
        let mut key = Vec::new();
        if let Some(keys) = self.keys {
            keys.write_json_object(batch, index, &mut key);
        }
        self.write(first_row + index as u64, columns, None, &key);
    }

    /// The row with this number violates the rule by `columns`, as row `same_as` before it. `key` is a JSON array of their
    /// values.
    pub fn duplicate(&mut self, row: u64, same_as: u64, columns: &[&str], key: &[u8]) {
        self.write(row, columns, Some(same_as), key);
    }

    /// Bytes of lines that nobody has taken yet.
    pub fn waiting(&self) -> usize {
        self.violations.lines.len()
    }

    fn write(&mut self, row: u64, columns: &[&str], same_as: Option<u64>, key: &[u8]) {
        let violations = &mut *self.violations;
        violations.counts[self.rule] += 1;
        if violations.sample.len() < SAMPLE {
            violations
                .sample
                .push(serde_json::json!({"rule": self.id, "dataset": violations.dataset, "row": row, "columns": columns}));
        }
        let out = &mut violations.lines;
        out.extend_from_slice(b"{\"rule\":");
        json_text(self.id, out);
        out.extend_from_slice(b",\"dataset\":");
        json_text(&violations.dataset, out);
        out.extend_from_slice(b",\"row\":");
        out.extend_from_slice(itoa::Buffer::new().format(row).as_bytes());
        out.extend_from_slice(b",\"columns\":[");
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json_text(column, out);
        }
        out.push(b']');
        if let Some(same_as) = same_as {
            out.extend_from_slice(b",\"sameAs\":");
            out.extend_from_slice(itoa::Buffer::new().format(same_as).as_bytes());
        }
        if !key.is_empty() {
            out.extend_from_slice(b",\"key\":");
            out.extend_from_slice(key);
        }
        out.extend_from_slice(b"}\n");
    }
}
