//! SQLite: a file opened read-only; the embedded default for trying things out.

mod options;

#[cfg(feature = "runtime")]
mod decode;
#[cfg(feature = "runtime")]
mod reader;
#[cfg(all(test, feature = "runtime"))]
mod tests;

pub use options::SqliteOptions;
#[cfg(feature = "runtime")]
pub(super) use reader::open;
