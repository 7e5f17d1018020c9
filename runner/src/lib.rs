//! Executes one plan: reads rows, checks them, makes the file, stores it, seals the manifest; delivers sealed files;
//! probes. It knows no Kubernetes: it reads one file, uses mounted secrets, writes objects, leaves one message.

pub mod report;
pub mod stage;
