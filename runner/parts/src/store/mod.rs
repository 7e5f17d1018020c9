//! Where artifacts live: S3 or a directory. What users write, where each object lies, what a manifest says.
//!
//! A [`Store`] writes create-if-absent only, streams, and holds bounded memory: at most three parts of 8 MiB for each
//! S3 upload under way. It never lists: what exists is what a manifest, a claim or a receipt names.

pub mod key;
pub mod manifest;
mod options;

#[cfg(feature = "store")]
mod directory;
#[cfg(feature = "store")]
mod error;
#[cfg(feature = "store")]
mod handle;
#[cfg(feature = "store")]
mod s3;
#[cfg(feature = "store")]
mod upload;

#[cfg(all(test, feature = "conformance"))]
mod tests;

#[cfg(feature = "store")]
pub use error::{Fault, StoreError};
#[cfg(feature = "store")]
pub use handle::{Created, ObjectStream, Store, Writer};
pub use options::{DirectoryStoreOptions, S3Options, StoreOptions};
