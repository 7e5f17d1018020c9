//! Two ways to find equal keys: neighbours, when the rows come in the key's order; else spilled to disk.
//!
//! Spilled: a key goes, with its row number, to one of [`PARTITIONS`] files by its hash; equal keys meet in one file. At
//! the end one file after another is read, with its different keys in memory: about a 256th of all of them. Keys are
//! compared themselves, so a hash that collides does no harm. Rows that are found are handed over in between: there may be
//! as many of them as there are rows.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::PathBuf;

use arrow_schema::Schema;

use super::UniqueOptions;
use crate::rule::engine::{Batch, Rule, RuleError, Scratch};
use crate::rule::key::KeyColumns;
use crate::rule::{Found, Verdict};

/// Files that keys are spread over. 10 million keys of 20 bytes: 39,000 a file, about 4 MB in memory while it is read.
const PARTITIONS: usize = 256;
/// Buffer of each file: 256 × 4 KiB is 1 MiB.
const BUFFER: usize = 4096;
/// Bytes before each key: row number and length.
const HEAD: usize = 12;
/// Bytes of lines about equal rows that are handed over at once.
const LINES: usize = 256 << 10;

/// Compares each row with the one before it.
pub(in crate::rule) struct Neighbours {
    keys: KeyColumns,
    columns: Vec<String>,
    last: Vec<u8>,
    current: Vec<u8>,
    seen: bool,
}

impl Neighbours {
    pub(in crate::rule) fn new(options: &UniqueOptions, schema: &Schema) -> Result<Self, RuleError> {
        Ok(Self {
            keys: KeyColumns::new(schema, &options.columns)?,
            columns: options.columns.clone(),
            last: Vec::new(),
            current: Vec::new(),
            seen: false,
        })
    }
}

impl Rule for Neighbours {
    fn verdict(&self) -> Verdict {
        Verdict::PerRow
    }

    fn check(&mut self, batch: &Batch, found: &mut Found<'_>) -> Result<(), RuleError> {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        for row in 0..batch.rows.num_rows() {
            self.current.clear();
            self.keys.write_ordered(&batch.rows, row, false, &mut self.current);
            if self.seen && self.current == self.last {
                found.row(row, &columns);
            }
            self.seen = true;
            std::mem::swap(&mut self.current, &mut self.last);
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Found<'_>) -> Result<bool, RuleError> {
        Ok(false)
    }
}

/// Spills keys, and finds equal ones at the end.
pub(in crate::rule) struct Spilled {
    keys: KeyColumns,
    columns: Vec<String>,
    spill: Spill,
    key: Vec<u8>,
    /// The file that is read at the end.
    partition: Option<Partition>,
}

/// One file, on its way back.
struct Partition {
    path: PathBuf,
    reader: BufReader<File>,
    /// The row in which each key came first.
    first_seen: HashMap<Box<[u8]>, u64>,
}

/// The files; removed when they are dropped.
struct Spill {
    scratch: Scratch,
    files: Vec<Option<BufWriter<File>>>,
    bytes: u64,
}

impl Spilled {
    pub(in crate::rule) fn new(options: &UniqueOptions, schema: &Schema, scratch: Scratch) -> Result<Self, RuleError> {
        let files = std::iter::repeat_with(|| None).take(PARTITIONS).collect();
        Ok(Self {
            keys: KeyColumns::new(schema, &options.columns)?,
            columns: options.columns.clone(),
            spill: Spill { scratch, files, bytes: 0 },
            key: Vec::new(),
            partition: None,
        })
    }
}

impl Rule for Spilled {
    fn verdict(&self) -> Verdict {
        Verdict::AtEnd
    }

    fn check(&mut self, batch: &Batch, _: &mut Found<'_>) -> Result<(), RuleError> {
        for row in 0..batch.rows.num_rows() {
            self.key.clear();
            self.keys.write_json_array(&batch.rows, row, &mut self.key);
            if !self.spill.write(batch.first_row + row as u64, &self.key)? {
                return Err(RuleError::ScratchFull {
                    columns: self.columns.join(", "),
                    bytes: self.spill.scratch.bytes,
                });
            }
        }
        Ok(())
    }

    fn finish(&mut self, found: &mut Found<'_>) -> Result<bool, RuleError> {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        loop {
            let partition = match &mut self.partition {
                Some(partition) => partition,
                None => match self.spill.next()? {
                    Some(next) => self.partition.insert(next),
                    None => return Ok(false),
                },
            };
            while let Some(row) = read_record(&mut partition.reader, &mut self.key)? {
                match partition.first_seen.get(self.key.as_slice()) {
                    Some(first) => found.duplicate(row, *first, &columns, &self.key),
                    None => drop(partition.first_seen.insert(self.key.as_slice().into(), row)),
                }
                if found.waiting() >= LINES {
                    return Ok(true);
                }
            }
            std::fs::remove_file(&partition.path)?;
            self.partition = None;
        }
    }
}

impl Spill {
    fn path(&self, partition: usize) -> PathBuf {
        self.scratch.directory.join(format!("{partition:03}"))
    }

    /// The next file, whole; `None` after the last.
    fn next(&mut self) -> Result<Option<Partition>, std::io::Error> {
        let Some(index) = self.files.iter().position(Option::is_some) else {
            return Ok(None);
        };
        if let Some(writer) = self.files[index].take() {
            writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        }
        let path = self.path(index);
        let reader = BufReader::with_capacity(64 << 10, File::open(&path)?);
        Ok(Some(Partition {
            path,
            reader,
            first_seen: HashMap::new(),
        }))
    }

    /// Whether there was room.
    fn write(&mut self, row: u64, key: &[u8]) -> Result<bool, std::io::Error> {
        self.bytes += (HEAD + key.len()) as u64;
        let (Ok(length), true) = (u32::try_from(key.len()), self.bytes <= self.scratch.bytes) else {
            return Ok(false);
        };
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        let partition = usize::try_from(hasher.finish() % PARTITIONS as u64).unwrap_or(0);
        if self.files[partition].is_none() {
            std::fs::create_dir_all(&self.scratch.directory)?;
            self.files[partition] = Some(BufWriter::with_capacity(BUFFER, File::create(self.path(partition))?));
        }
        if let Some(file) = &mut self.files[partition] {
            file.write_all(&row.to_le_bytes())?;
            file.write_all(&length.to_le_bytes())?;
            file.write_all(key)?;
        }
        Ok(true)
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        self.files.clear();
        // A pod's emptyDir goes with the pod; on a laptop this keeps the directory clean.
        let _ = std::fs::remove_dir_all(&self.scratch.directory);
    }
}

fn read_record(reader: &mut impl std::io::BufRead, key: &mut Vec<u8>) -> Result<Option<u64>, std::io::Error> {
    if reader.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let (mut row, mut length) = ([0; 8], [0; 4]);
    reader.read_exact(&mut row)?;
    reader.read_exact(&mut length)?;
    key.resize(u32::from_le_bytes(length) as usize, 0);
    reader.read_exact(key)?;
    Ok(Some(u64::from_le_bytes(row)))
}
