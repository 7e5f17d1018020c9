//! Tests on a real cluster. They are ignored by a plain `cargo test`, since they need a cluster with OpenReg and the
//! development services on it: `make test` makes one and runs them.
//!
//! | file | proves |
//! |---|---|
//! | `admit/` | what the API server accepts and refuses, and how it says so; every rule, from a table |
//! | `run.rs` | a run from source to receipt, its Jobs, its history |
//! | `schedule.rs` | a Schedule starts runs by itself |
//! | `fail.rs` | bad input ends in a truthful condition |
//! | `cut.rs` | what goes away in the middle of its work, and heals or says so |
//! | `crash.rs` | the same of what every other test stands on; each runs alone |
//! | `chaos.rs` | the same under long faults; `make chaos` |
//! | `network.rs` | a run's pod reaches its own peers and nothing else |
//! | `samples.rs` | `config/samples` as somebody applies them, and what `kubectl` shows |
//! | `volume.rs` | many rows, whole and in the memory that was promised |

mod admit;
mod chaos;
mod crash;
mod cut;
mod fail;
mod network;
mod run;
mod samples;
mod schedule;
mod volume;
