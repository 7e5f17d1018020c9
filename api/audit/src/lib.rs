//! The audit chain of a tenant: how an entry is hashed, how entries follow one another, how a chain is verified.
//!
//! An entry's hash covers all its other fields, the hash of the entry before among them, so that nothing in the middle of
//! a chain can be changed, removed, added or moved without every later hash telling. What a chain cannot tell by itself is
//! that its end was cut off, or that all of it was written anew: note the head somewhere else, and give it to the verifier.
//!
//! | module | question |
//! |---|---|
//! | [`mod@entry`] | what an entry is, and what its hash is of |
//! | [`mod@verify`] | where a chain breaks first, and why |
//! | [`lines`] | how a chain is written down: JSON lines |
//!
//! The layout of the hashed bytes is fixed for ever: a chain of years ago must still verify. This crate must not do I/O
//! of its own, read a clock or know a database.

pub mod entry;
pub mod lines;
pub mod verify;

pub use entry::{Entry, GENESIS};
pub use verify::{Broken, CutOff, Noted, Verified, Verifier, Why};
