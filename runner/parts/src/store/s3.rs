//! A store in an S3 bucket. Payloads are hashed at most once here: signed over plain HTTP, where the signature alone
//! guards them, and not over TLS; the client's own checksums are off. Conditional writes are tried by this file, not by
//! the client, because only it can tell whether an unanswered write took place.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_http_client::tls;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::error::{Cause, Fault, StoreError};
use super::handle::{Created, ObjectStream};
use super::options::S3Options;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one try of a request may take: a part of 8 MiB at 140 KiB/s. With [`TRIES`] and the pauses between them, a
/// server that accepts and never answers ends an upload within 200 seconds.
const ATTEMPT: Duration = Duration::from_secs(60);
/// How long to wait for the next bytes of an object.
const CHUNK: Duration = Duration::from_secs(60);
/// Tries of one request.
pub(super) const TRIES: u32 = 3;

#[derive(Clone, Debug)]
pub(super) struct S3 {
    pub(super) client: Client,
    pub(super) bucket: String,
    prefix: String,
    pub(super) sign_payload: bool,
}

/// What a conditional write was answered.
pub(super) enum Answered {
    /// It took place.
    Written,
    /// There is an object already.
    Taken,
    /// Another write of that key is under way: ask again.
    Conflict,
}

impl S3 {
    pub(super) fn new(options: &S3Options, access_key: &str, secret_key: &str, authority: Option<&str>, prefix: &str) -> Result<Self, StoreError> {
        Self::patient(options, (access_key, secret_key), authority, prefix, ATTEMPT)
    }

    /// The same, with another limit for one try of a request.
    pub(super) fn patient(options: &S3Options, keys: (&str, &str), authority: Option<&str>, prefix: &str, attempt: Duration) -> Result<Self, StoreError> {
        let mut context = tls::TlsContext::builder();
        if let Some(pem) = authority {
            // The client panics on what it cannot read, so that is refused here.
            if !usable(pem) {
                return Err(StoreError::new(format!("use bucket {}", options.bucket), Fault::CaUnreadable, None));
            }
            context = context.with_trust_store(tls::TrustStore::empty().with_pem_certificate(pem));
        }
        let context = context
            .build()
            .map_err(|e| StoreError::new(format!("use bucket {}", options.bucket), Fault::CaUnreadable, Some(e.into())))?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .tls_context(context)
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .build();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(options.region.clone()))
            .credentials_provider(Credentials::new(keys.0, keys.1, None, None, "secret"))
            .force_path_style(options.path_style.unwrap_or(false))
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            // A slow receiver makes a slow download: that is no stall, and each chunk has its own limit.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &options.endpoint {
            config = config.endpoint_url(endpoint.trim_end_matches('/'));
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            bucket: options.bucket.clone(),
            prefix: format!("{}{prefix}", options.prefix.as_deref().unwrap_or_default()),
            sign_payload: options.endpoint.as_deref().is_some_and(|e| e.starts_with("http://")),
        })
    }

    pub(super) fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    pub(super) async fn create(&self, path: &str, body: Bytes) -> Result<Created, StoreError> {
        let mut unanswered = false;
        let mut last = None;
        for attempt in 0..TRIES {
            pause(attempt).await;
            match self.put_if_absent(path, body.clone()).await {
                Ok(Answered::Written) => return Ok(Created::New),
                Ok(Answered::Taken) if unanswered => return self.whose(path, &body).await,
                Ok(Answered::Taken) => return Ok(Created::Existing),
                Ok(Answered::Conflict) => last = Some(StoreError::new(format!("write {path}"), Fault::ServerError, None)),
                Err(e) if e.is_ambiguous() => {
                    unanswered = true;
                    last = Some(e);
                }
                Err(e) if matches!(e.fault(), Some(Fault::ConnectionRefused | Fault::HostUnreachable | Fault::HostUnknown)) => last = Some(e),
                Err(e) => return Err(e),
            }
        }
        if unanswered {
            // The answer to the last try was lost too. What lies there decides; if nothing does, the write may still come.
            if let Ok(Some(_)) = self.size(path).await {
                return self.whose(path, &body).await;
            }
        }
        Err(last.unwrap_or_else(|| StoreError::new(format!("write {path}"), Fault::Unexpected, None)))
    }

    /// Whether the object is the one that an unanswered write of ours made.
    async fn whose(&self, path: &str, body: &Bytes) -> Result<Created, StoreError> {
        match self.get(path, body.len()).await {
            Ok(Some(found)) if found == body => Ok(Created::New),
            Ok(_) => Ok(Created::Existing),
            Err(e) if matches!(e.fault(), Some(Fault::ObjectTooLarge { .. })) => Ok(Created::Existing),
            Err(e) => Err(e),
        }
    }

    async fn put_if_absent(&self, path: &str, body: Bytes) -> Result<Answered, StoreError> {
        let length = i64::try_from(body.len()).unwrap_or(i64::MAX);
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(path))
            .if_none_match("*")
            .content_length(length)
            .body(ByteStream::new(SdkBody::from(body)));
        let mut request = request.customize().config_override(Config::builder().retry_config(RetryConfig::disabled()));
        if !self.sign_payload {
            request = request.disable_payload_signing();
        }
        match request.send().await {
            Ok(_) => Ok(Answered::Written),
            Err(e) => conditional(&e).ok_or_else(|| StoreError::s3(format!("write {path}"), e)),
        }
    }

    pub(super) async fn get(&self, path: &str, max_bytes: usize) -> Result<Option<Bytes>, StoreError> {
        let too_large = || StoreError::new(format!("read {path}"), Fault::ObjectTooLarge { max: max_bytes as u64 }, None);
        let Some(mut object) = self.stream(path, 0).await? else { return Ok(None) };
        if object.size > max_bytes as u64 {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = object.body.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() > max_bytes {
                return Err(too_large());
            }
        }
        Ok(Some(bytes.freeze()))
    }

    pub(super) async fn stream(&self, path: &str, offset: u64) -> Result<Option<ObjectStream>, StoreError> {
        let request = self.client.get_object().bucket(&self.bucket).key(self.key(path));
        let request = if offset == 0 { request } else { request.range(format!("bytes={offset}-")) };
        match request.send().await {
            Ok(found) => Ok(Some(body(path.to_owned(), offset, found)?)),
            Err(e) if e.code() == Some("InvalidRange") || status(&e) == 416 => self.end(path).await,
            // Only this word means that there is no such object: servers say 404 to an unknown account too, and taking
            // that for an absent receipt would send a file twice.
            Err(e) if e.code() == Some("NoSuchKey") => Ok(None),
            Err(e) => Err(StoreError::s3(format!("read {path}"), e)),
        }
    }

    /// The empty rest of an object whose end, or more, was asked for.
    async fn end(&self, path: &str) -> Result<Option<ObjectStream>, StoreError> {
        Ok(self.size(path).await?.map(|size| ObjectStream {
            size,
            body: futures::stream::empty().boxed(),
        }))
    }

    pub(super) async fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        match self.client.head_object().bucket(&self.bucket).key(self.key(path)).send().await {
            Ok(found) => Ok(Some(length(found.content_length))),
            Err(e) if status(&e) == 404 => Ok(None),
            Err(e) => Err(StoreError::s3(format!("look at {path}"), e)),
        }
    }

    pub(super) async fn remove(&self, path: &str) -> Result<(), StoreError> {
        let removed = self.client.delete_object().bucket(&self.bucket).key(self.key(path)).send().await;
        removed.map(drop).map_err(|e| StoreError::s3(format!("remove {path}"), e))
    }
}

/// Whether every certificate in `pem` can be an authority's, and there is one.
fn usable(pem: &str) -> bool {
    let mut roots = RootCertStore::empty();
    match CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) => !certificates.is_empty() && certificates.into_iter().all(|c| roots.add(c).is_ok()),
        Err(_) => false,
    }
}

/// What a conditional write's error answers to the condition, if it does.
pub(super) fn conditional<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Answered> {
    match (status(error), error.code()) {
        (412, _) | (_, Some("PreconditionFailed")) => Some(Answered::Taken),
        (409, Some("ConditionalRequestConflict" | "OperationAborted")) => Some(Answered::Conflict),
        _ => None,
    }
}

/// Waits before the second and each later try.
pub(super) async fn pause(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(Duration::from_millis(250 << attempt.min(4))).await;
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> u16 {
    error.raw_response().map_or(0, |r| r.status().as_u16())
}

fn length(content_length: Option<i64>) -> u64 {
    content_length.and_then(|l| u64::try_from(l).ok()).unwrap_or(0)
}

fn body(path: String, offset: u64, found: GetObjectOutput) -> Result<ObjectStream, StoreError> {
    if offset > 0 && found.content_range.is_none() {
        // A server that ignores ranges would make the caller skip nothing and read the start twice.
        return Err(StoreError::new(format!("read {path} from byte {offset}"), Fault::Unexpected, None));
    }
    let size = length(found.content_length) + offset;
    let body = futures::stream::try_unfold((found.body, path), |(mut body, path)| async move {
        match tokio::time::timeout(CHUNK, body.next()).await {
            Err(e) => Err(StoreError::new(format!("read {path}"), Fault::Timeout, Some(Cause::from(e)))),
            Ok(None) => Ok(None),
            Ok(Some(Ok(chunk))) => Ok(Some((chunk, (body, path)))),
            Ok(Some(Err(e))) => Err(StoreError::new(format!("read {path}"), super::error::connection(&e), Some(Cause::from(e)))),
        }
    });
    Ok(ObjectStream { size, body: body.boxed() })
}
