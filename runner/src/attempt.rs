//! Which attempt this process is.

/// Which attempt this process is: the pod that carries it, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// UID of the pod, or any name of its own on a laptop: two attempts never share it.
    pub pod: String,
    /// Number from 1.
    pub number: u32,
}
