//! The routes, an area a file: parse, call, render. No SQL and no client of the cluster here.

pub mod artifacts;
pub mod audit;
pub mod auth;
mod cookie;
pub mod extract;
pub mod reports;
pub mod runs;
pub mod start;
pub mod stream;
pub mod system;
pub mod violations;
