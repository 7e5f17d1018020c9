//! The families of OpenReg: everything a report can name, each member in one folder.
//!
//! | family | trait | members | registry |
//! |---|---|---|---|
//! | source | [`source::Source`] | PostgreSQL, SQLite | `source/mod.rs` |
//! | rule | `rule::Rule` | notNull, pattern, unique | `rule/mod.rs` |
//! | transform | – | mapping of flat fields | `transform/mod.rs` |
//! | format | `format::Encoder` | CSV | `format/mod.rs` |
//! | store | a struct, not a trait | S3, directory | `store/mod.rs` |
//! | transport | `transport::Transport` | SFTP, directory | `transport/mod.rs` |
//!
//! Three levels, so that a folder holds a member whole and nobody compiles more than they need:
//! no feature: what a user may write (options and their JSON schema); `check`: pure compilation of what users wrote;
//! `runtime`: drivers and I/O. `store` stands alone, because the API hands artifacts out.
//!
//! This crate must not know Kubernetes, HTTP servers or custom resources.

pub mod error;
pub mod format;
pub mod rule;
pub mod schema;
pub mod source;
pub mod store;
#[cfg(feature = "check")]
pub mod template;
pub mod transform;
pub mod transport;
pub mod units;

#[cfg(feature = "store")]
pub mod secrets;

#[cfg(feature = "conformance")]
pub mod conformance;
