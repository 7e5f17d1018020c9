//! Who somebody is and what they may do. No HTTP routes and no SQL here.

pub mod guard;
pub mod password;
pub mod policy;
pub mod token;
