//! The protocol against a directory: its table, a death at every step, random faults, two deliverers at once.

mod crash;
mod faults;
mod limits;
mod table;
mod world;
