//! A directory on the runner's own file system; for a laptop and for tests.

mod options;
#[cfg(feature = "runtime")]
mod transport;

#[cfg(all(test, feature = "conformance"))]
mod tests;

pub use options::DirectoryOptions;
#[cfg(feature = "runtime")]
pub use transport::Directory;
