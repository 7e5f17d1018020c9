//! SQLite: a file opened read-only; the embedded default for trying things out.

mod options;

pub use options::SqliteOptions;
