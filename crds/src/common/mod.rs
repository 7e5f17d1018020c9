//! What several kinds share: conditions, references, object status.

pub mod condition;
pub mod reference;
pub mod status;
