//! The contract between the operator and its runner: the plan, the report that comes back, and the exit codes.
//!
//! The operator writes a [`RunPlan`] once; every Job of the run gets the same one. The runner answers with a
//! [`RunReport`] in the pod's termination message and with an [`exit`] code. Changing `tests/golden/plan-v1.json` is
//! changing the contract.

pub mod digest;
pub mod exit;
pub mod plan;
pub mod probe;
pub mod report;

pub use digest::Sha256;
pub use plan::RunPlan;
pub use probe::ProbePlan;
pub use report::RunReport;
