//! What happens to rows between the checks and the file. One member today: the mapping.

pub mod mapping;
