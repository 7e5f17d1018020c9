//! SFTP version 3 over SSH (draft-ietf-secsh-filexfer-02, RFC 4251 to 4254).

mod options;
#[cfg(feature = "runtime")]
mod session;
#[cfg(feature = "runtime")]
mod transport;

#[cfg(all(test, feature = "conformance"))]
mod tests;

pub use options::{SftpAuth, SftpOptions};
#[cfg(feature = "runtime")]
pub use transport::Sftp;
