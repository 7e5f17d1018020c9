//! The runner's exit codes: the class of what happened, for when there is no message.

use openreg_parts::error::Class;

/// All went well; a run that rules blocked is also well done.
pub const OK: i32 = 0;
/// [`Class::Config`].
pub const CONFIG: i32 = 10;
/// [`Class::Data`].
pub const DATA: i32 = 11;
/// [`Class::Transient`].
pub const TRANSIENT: i32 = 20;
/// [`Class::Internal`].
pub const INTERNAL: i32 = 30;

/// The exit code of a class.
pub fn code(class: Class) -> i32 {
    match class {
        Class::Config => CONFIG,
        Class::Data => DATA,
        Class::Transient => TRANSIENT,
        Class::Internal => INTERNAL,
    }
}

/// The class of an exit code; `None` for success and for codes that are not the runner's.
pub fn class(code: i32) -> Option<Class> {
    match code {
        CONFIG => Some(Class::Config),
        DATA => Some(Class::Data),
        TRANSIENT => Some(Class::Transient),
        INTERNAL => Some(Class::Internal),
        _ => None,
    }
}
