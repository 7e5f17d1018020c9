//! What the cluster tests stand on: a namespace a test, things to apply, waits that say what they saw.
//!
//! The tests need a cluster on which OpenReg and the development services run (`make test` makes one), named by
//! KUBECONFIG. They use OpenReg as people do: `kubectl`, custom resources and the API over HTTP, never its insides.

pub mod fixture;
pub mod history;
pub mod killer;
pub mod kubectl;
pub mod own_s3;
pub mod proof;
pub mod services;
pub mod tenant;

pub use tenant::Tenant;
