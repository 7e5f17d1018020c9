//! The suites that every member of a family must pass. They assert, and are called from tests only.

pub mod encoder;
pub mod servers;
pub mod source;
pub mod store;
pub mod transport;

/// The value, or the end of the test with what could not be done.
#[track_caller]
pub(crate) fn must<T, E: std::fmt::Debug>(what: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("could not {what}: {error:?}"),
    }
}
