//! Tests on a real cluster. They are ignored by a plain `cargo test`, since they need a cluster with OpenReg and the
//! development services on it: `make test` makes one and runs them.
//!
//! | file | proves |
//! |---|---|
//! | `admit.rs` | what the API server refuses, and how it says so |
//! | `run.rs` | a run from source to receipt, its Jobs, its history |
//! | `schedule.rs` | a Schedule starts runs by itself |
//! | `fail.rs` | bad input ends in a truthful condition |
//! | `crash.rs` | what dies on the way heals or says so, and nothing is delivered twice |
//! | `chaos.rs` | the same under long faults; `make chaos` |
//! | `network.rs` | a run's pod reaches its own peers and nothing else |

mod admit;
mod chaos;
mod crash;
mod fail;
mod network;
mod run;
mod schedule;
