//! Executes one plan: reads rows, checks them, makes the file, stores it, seals the manifest; delivers sealed files;
//! probes. It knows no Kubernetes: it reads one file, uses mounted secrets, writes objects, leaves one message.

pub mod assemble;
mod attempt;
pub mod deliver;
pub mod generate;
mod judge;
pub mod log_ship;
mod pipeline;
pub mod probe;
pub mod report;
mod seal;
mod sink;
pub mod stage;

pub use attempt::Attempt;
