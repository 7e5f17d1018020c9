//! What a spec means, and what is wrong with it. Pure: the operator, the API and the command line all ask here, so that
//! the same words stand at admission, in the condition, in the 422 answer and in `openreg lint`.
//!
//! | module | question |
//! |---|---|
//! | [`check`] | what is wrong with one object alone |
//! | [`across`] | what is wrong with a Report beside the objects that it names |
//! | [`parameters`] | what is wrong with a run's parameters; which values it has |
//! | [`mod@resolve`] | which plan a run has |
//! | [`digest`] | which content a version stands for |
//!
//! This crate must not do I/O, read a clock or know a cluster.

pub mod across;
pub mod check;
pub mod digest;
pub mod parameters;
pub mod resolve;

pub use resolve::{Inputs, resolve};
