//! PostgreSQL: bound parameters, binary rows, one read-only transaction, exactly one prepared statement.

mod options;

#[cfg(feature = "runtime")]
mod connect;
#[cfg(feature = "runtime")]
mod decode;
#[cfg(feature = "runtime")]
mod failure;
#[cfg(feature = "runtime")]
mod numeric;
#[cfg(feature = "runtime")]
mod reader;
#[cfg(feature = "runtime")]
mod tls;

pub use options::{PostgresOptions, TlsMode, TlsOptions};
#[cfg(feature = "runtime")]
pub(super) use reader::open;
