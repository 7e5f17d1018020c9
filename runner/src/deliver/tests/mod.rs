//! The protocol against a directory: its table, a death at every step, random faults, two deliverers at once; and real servers.

mod crash;
mod doubt;
mod faults;
mod limits;
mod real;
mod table;
mod world;
