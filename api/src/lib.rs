//! The OpenReg API and recorder.
//!
//! ```text
//! serve:   page or command line ─► router ─► auth/guard ─► http/<area> ─► db/<table> | cluster | stores
//! record:  watch of ReportRuns ─► recorder/record (pure) ─► db/record ─► Recorded=True, finalizer off
//! ```
//!
//! The API writes intent as custom resources only; Postgres is written for runs by the recorder alone. Each transaction
//! belongs to one tenant, and the database enforces it.

pub mod app;
pub mod auth;
pub mod cluster;
pub mod connection;
pub mod db;
pub mod docs;
pub mod error;
pub mod http;
pub mod metrics;
pub mod model;
pub mod openapi;
pub mod recorder;
pub mod router;
pub mod serve;
pub mod stores;
