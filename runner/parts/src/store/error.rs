//! What goes wrong with a store, and who can mend it. It reads answers of the S3 client and of the file system; it does
//! no I/O.

use std::error::Error;
use std::io;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::{Class, Classified};
use crate::secrets::SecretError;

/// A cause of any type.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// What goes wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The Secret does not give what is needed.
    #[error("could not read the store's credentials")]
    Secret(#[from] SecretError),
    /// The store did not do what it was asked to.
    #[error("could not {action}: {fault}")]
    Failed {
        /// What was asked for: `write runs/…`.
        action: String,
        /// What is the matter.
        fault: Fault,
        /// Why, as far as it is known.
        #[source]
        cause: Option<Cause>,
    },
}

/// What is the matter with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The account may not do that.
    #[error("access denied")]
    AccessDenied,
    /// The keys are unknown or wrong.
    #[error("the access key or its secret is refused")]
    CredentialsRefused,
    /// An S3 store was given no credentials.
    #[error("there are no credentials")]
    CredentialsMissing,
    /// There is no such bucket.
    #[error("the bucket does not exist")]
    BucketMissing,
    /// The bucket lies in another region.
    #[error("the region is not the bucket's")]
    RegionWrong,
    /// The host's name does not resolve.
    #[error("the host is unknown")]
    HostUnknown,
    /// Nothing listens there.
    #[error("connection refused")]
    ConnectionRefused,
    /// No way leads there.
    #[error("there is no way to the host")]
    HostUnreachable,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke")]
    ConnectionLost,
    /// The server's certificate is not trusted.
    #[error("the server's certificate is not trusted")]
    CertificateRefused,
    /// The authority's certificates cannot be used.
    #[error("the certificate authority cannot be used")]
    CaUnreadable,
    /// The server failed or asks to slow down.
    #[error("the server failed")]
    ServerError,
    /// The store overwrites what it was told to keep.
    #[error("the store does not keep to create-if-absent")]
    NoConditionalWrites,
    /// There is no space left.
    #[error("no space is left")]
    DiskFull,
    /// The object has more bytes than the caller can take.
    #[error("the object is larger than {max} bytes")]
    ObjectTooLarge {
        /// The most bytes.
        max: u64,
    },
    /// The text is no key of a store.
    #[error("that is no key of an object")]
    BadKey,
    /// The object that was just written is there with other bytes.
    #[error("the object holds other bytes than were written")]
    Changed,
    /// Anything else.
    #[error("the store gave an unexpected answer")]
    Unexpected,
}

impl StoreError {
    pub(super) fn new(action: impl Into<String>, fault: Fault, cause: impl Into<Option<Cause>>) -> Self {
        Self::Failed {
            action: action.into(),
            fault,
            cause: cause.into(),
        }
    }

    /// What is the matter; `None` when the Secret is.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Secret(_) => None,
            Self::Failed { fault, .. } => Some(*fault),
        }
    }

    /// Whether a request that ended like this may nevertheless have been carried out.
    pub fn is_ambiguous(&self) -> bool {
        matches!(
            self.fault(),
            Some(Fault::Timeout | Fault::ConnectionLost | Fault::ServerError | Fault::Unexpected)
        )
    }

    /// The error of a file operation.
    pub(super) fn io(action: impl Into<String>, error: io::Error) -> Self {
        let fault = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::AccessDenied,
            io::ErrorKind::Unsupported => Fault::NoConditionalWrites,
            _ => Fault::Unexpected,
        };
        Self::new(action, fault, Some(Cause::from(error)))
    }

    /// The error of an S3 request.
    pub(super) fn s3<E>(action: impl Into<String>, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (fault, cause) = judge(error);
        Self::new(action, fault, Some(cause))
    }
}

/// An S3 server's own words.
#[derive(Debug, thiserror::Error)]
#[error("HTTP {status} {code}: {message}")]
struct Answer {
    status: u16,
    code: String,
    message: String,
}

fn judge<E>(error: SdkError<E, HttpResponse>) -> (Fault, Cause)
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match &error {
        SdkError::TimeoutError(_) => return (Fault::Timeout, root(&error)),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => return (Fault::Timeout, root(&error)),
        SdkError::DispatchFailure(_) => return (connection(&error), root(&error)),
        SdkError::ConstructionFailure(_) => return (Fault::Unexpected, root(&error)),
        _ => {}
    }
    // An answer that broke off or is none of S3's: the server, or something before it, is not well.
    if matches!(&error, SdkError::ResponseError(r) if r.raw().status().is_success()) {
        return (Fault::ConnectionLost, root(&error));
    }
    let status = error.raw_response().map_or(0, |r| r.status().as_u16());
    let code = error.code().unwrap_or_default().to_owned();
    let message = error.message().unwrap_or_default().to_owned();
    (answered(status, &code), Answer { status, code, message }.into())
}

/// What a server's answer means: its status, and its own word where it gave one.
fn answered(status: u16, code: &str) -> Fault {
    match (status, code) {
        (_, "NoSuchBucket") => Fault::BucketMissing,
        (_, "InvalidAccessKeyId" | "XAdminUserNotFound" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken") => Fault::CredentialsRefused,
        // No redirect is ever followed: the credentials are for the host that was allowed.
        (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException") | (301 | 302 | 307 | 308, _) => {
            Fault::RegionWrong
        }
        // These come with any status: 400, or even 200 after a multipart upload was put together.
        (_, "RequestTimeTooSkewed" | "RequestTimeout" | "InternalError" | "SlowDown" | "ServiceUnavailable" | "OperationAborted") => Fault::ServerError,
        (_, "NotImplemented") | (501, _) => Fault::NoConditionalWrites,
        (_, "XMinioStorageFull" | "QuotaExceeded" | "StorageFull") | (507, _) => Fault::DiskFull,
        (401 | 403, _) => Fault::AccessDenied,
        (0, _) => Fault::ConnectionLost,
        (408 | 429 | 500..=599, _) => Fault::ServerError,
        _ => Fault::Unexpected,
    }
}

/// What a connection that failed means. The client wraps the reason several times, so the whole chain is read.
pub(super) fn connection(error: &(dyn Error + 'static)) -> Fault {
    let mut next = Some(error);
    while let Some(e) = next {
        let text = e.to_string();
        if text.contains("dns error") || text.contains("failed to lookup address") {
            return Fault::HostUnknown;
        }
        if text.contains("invalid peer certificate") {
            return Fault::CertificateRefused;
        }
        if let Some(io) = e.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return Fault::ConnectionRefused,
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => return Fault::HostUnreachable,
                io::ErrorKind::TimedOut => return Fault::Timeout,
                _ => {}
            }
        }
        next = e.source();
    }
    Fault::ConnectionLost
}

/// The innermost cause as text: the layers above it only say that a request failed.
fn root(error: &(dyn Error + 'static)) -> Cause {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string().into()
}

impl Classified for StoreError {
    fn class(&self) -> Class {
        match self {
            Self::Secret(e) => e.class(),
            Self::Failed { fault, .. } => match fault {
                Fault::AccessDenied
                | Fault::CredentialsRefused
                | Fault::CredentialsMissing
                | Fault::BucketMissing
                | Fault::RegionWrong
                | Fault::CertificateRefused
                | Fault::CaUnreadable
                | Fault::NoConditionalWrites => Class::Config,
                // A name that does not exist looks like a name server that is away, and a try more costs little.
                Fault::HostUnknown
                | Fault::ConnectionRefused
                | Fault::HostUnreachable
                | Fault::Timeout
                | Fault::ConnectionLost
                | Fault::ServerError
                | Fault::DiskFull => Class::Transient,
                Fault::ObjectTooLarge { .. } | Fault::BadKey | Fault::Changed | Fault::Unexpected => Class::Internal,
            },
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Secret(e) => e.code(),
            Self::Failed { fault, .. } => match fault {
                Fault::AccessDenied => "StoreAccessDenied",
                Fault::CredentialsRefused => "StoreCredentialsRefused",
                Fault::CredentialsMissing => "StoreCredentialsMissing",
                Fault::BucketMissing => "BucketMissing",
                Fault::RegionWrong => "RegionWrong",
                Fault::HostUnknown => "StoreHostUnknown",
                Fault::ConnectionRefused => "StoreConnectionRefused",
                Fault::HostUnreachable => "StoreHostUnreachable",
                Fault::Timeout => "StoreTimeout",
                Fault::ConnectionLost => "StoreConnectionLost",
                Fault::CertificateRefused => "StoreCertificateRefused",
                Fault::CaUnreadable => "StoreCaUnreadable",
                Fault::ServerError => "StoreServerError",
                Fault::NoConditionalWrites => "NoConditionalWrites",
                Fault::DiskFull => "StoreDiskFull",
                Fault::ObjectTooLarge { .. } => "ObjectTooLarge",
                Fault::BadKey => "BadKey",
                Fault::Changed => "ObjectChanged",
                Fault::Unexpected => "StoreUnexpected",
            },
        }
    }

    fn hint(&self) -> Option<String> {
        let fault = match self {
            Self::Secret(e) => return e.hint(),
            Self::Failed { fault, .. } => fault,
        };
        let hint = match fault {
            Fault::AccessDenied => {
                "allow the account to get, put and delete objects below the store's prefix, and to list the bucket with that prefix: without that right S3 answers `access denied` for an object that is not there"
            }
            Fault::CredentialsRefused => "check accessKeyId and secretAccessKey in the store's Secret",
            Fault::CredentialsMissing => "name a Secret with the keys accessKeyId, secretAccessKey and allowedHosts in the Store's credentialsRef",
            Fault::BucketMissing => "create the bucket, or correct its name in the Store",
            Fault::RegionWrong => "set the Store's region to the bucket's",
            Fault::HostUnknown => {
                "check the host's name in the Store's endpoint: it does not resolve from where the run runs; if it is right, check the cluster's DNS"
            }
            Fault::HostUnreachable => "check the routes and network policies between the run and the Store's endpoint",
            Fault::ConnectionRefused => "check that the server runs at the Store's endpoint, and its port",
            Fault::Timeout | Fault::ConnectionLost | Fault::ServerError => "check that the server is well and can be reached from the report's namespace",
            Fault::CertificateRefused => "put the certificate of the server's authority into the store's Secret and name its key in the Store's caKey",
            Fault::CaUnreadable => "write the authority's certificates as PEM into the key that the Store's caKey names",
            Fault::NoConditionalWrites => "use a store that supports conditional writes (If-None-Match)",
            Fault::DiskFull => "free some space in the store",
            Fault::ObjectTooLarge { .. } | Fault::BadKey | Fault::Changed | Fault::Unexpected => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Layer(#[source] io::Error);

    #[test]
    fn connection_failures_are_told_apart() {
        for (inner, fault) in [
            (io::Error::from(io::ErrorKind::ConnectionRefused), Fault::ConnectionRefused),
            (io::Error::from(io::ErrorKind::TimedOut), Fault::Timeout),
            (io::Error::from(io::ErrorKind::NetworkUnreachable), Fault::HostUnreachable),
            (
                io::Error::other("failed to lookup address information: Name or service not known"),
                Fault::HostUnknown,
            ),
            (io::Error::other("invalid peer certificate: UnknownIssuer"), Fault::CertificateRefused),
            (io::Error::from(io::ErrorKind::ConnectionReset), Fault::ConnectionLost),
        ] {
            assert_eq!(connection(&Layer(inner)), fault);
        }
    }

    #[test]
    fn answers_are_told_apart() {
        for (status, code, fault) in [
            (404, "NoSuchBucket", Fault::BucketMissing),
            (403, "SignatureDoesNotMatch", Fault::CredentialsRefused),
            (403, "", Fault::AccessDenied),
            (301, "PermanentRedirect", Fault::RegionWrong),
            (307, "TemporaryRedirect", Fault::RegionWrong),
            (302, "", Fault::RegionWrong),
            (400, "RequestTimeout", Fault::ServerError),
            (200, "InternalError", Fault::ServerError),
            (503, "SlowDown", Fault::ServerError),
            (502, "", Fault::ServerError),
            (507, "XMinioStorageFull", Fault::DiskFull),
            (501, "NotImplemented", Fault::NoConditionalWrites),
            (404, "NoSuchUpload", Fault::Unexpected),
            (400, "InvalidPart", Fault::Unexpected),
        ] {
            assert_eq!(answered(status, code), fault, "{status} {code}");
        }
    }

    #[test]
    fn files_say_what_is_the_matter() {
        for (kind, fault, class) in [
            (io::ErrorKind::StorageFull, Fault::DiskFull, Class::Transient),
            (io::ErrorKind::PermissionDenied, Fault::AccessDenied, Class::Config),
            (io::ErrorKind::NotADirectory, Fault::Unexpected, Class::Internal),
        ] {
            let error = StoreError::io("write x", io::Error::from(kind));
            assert_eq!((error.fault(), error.class()), (Some(fault), class));
        }
    }
}
