//! A streamed upload to S3: one `PutObject` when the body fits one part, else a multipart upload with at most two parts
//! under way while the third fills. What is not finished is aborted, also when it is dropped; after a crash only the
//! bucket's own rule for incomplete uploads can clean up.

use std::time::Duration;

use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;

use super::error::{Fault, StoreError};
use super::handle::Created;
use super::s3::{Answered, S3, TRIES, conditional, pause};

/// Bytes of one part; S3 wants at least 5 MiB.
const PART: usize = 8 << 20;
/// Parts under way at once.
const UNDER_WAY: usize = 2;
/// The most parts that S3 takes: 78 GiB.
const MAX_PARTS: i32 = 10_000;
/// How long giving up may take: what made the upload fail often makes that fail too, and the reason must be told soon.
const GIVE_UP: Duration = Duration::from_secs(10);
/// How long parts under way are waited for when nobody waits for the upload's end: the process may be about to.
const AT_DROP: Duration = Duration::from_secs(2);

/// Parts under way.
type Parts = JoinSet<Result<CompletedPart, StoreError>>;

pub(super) struct Upload {
    s3: S3,
    path: String,
    buffer: BytesMut,
    /// Bytes taken so far.
    size: u64,
    id: Option<String>,
    next: i32,
    under_way: Parts,
    done: Vec<CompletedPart>,
}

impl Upload {
    pub(super) fn new(s3: S3, path: String) -> Self {
        Self {
            s3,
            path,
            buffer: BytesMut::new(),
            size: 0,
            id: None,
            next: 1,
            under_way: JoinSet::new(),
            done: Vec::new(),
        }
    }

    pub(super) async fn write(&mut self, mut chunk: Bytes) -> Result<(), StoreError> {
        self.size += chunk.len() as u64;
        while !chunk.is_empty() {
            if self.buffer.is_empty() && self.next > 1 {
                // There is more than one part: its memory at once, where growing would take up to twice as much.
                self.buffer = BytesMut::with_capacity(PART);
            }
            let room = PART - self.buffer.len();
            self.buffer.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
            if self.buffer.len() == PART {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<Created, StoreError> {
        if self.id.is_none() {
            return self.s3.create(&self.path, self.buffer.split().freeze()).await;
        }
        if !self.buffer.is_empty() {
            self.send_part().await?;
        }
        while !self.under_way.is_empty() {
            self.join_part().await?;
        }
        self.done.sort_by_key(|part| part.part_number);
        let created = self.complete().await;
        if let Ok(Created::New) = created {
            // Nothing is left to abort.
            self.id = None;
        }
        if let Some(id) = self.id.take() {
            abort(self.s3.clone(), self.path.clone(), id).await;
        }
        created
    }

    pub(super) async fn abort(mut self) {
        if let Some(id) = self.id.take() {
            settle(std::mem::take(&mut self.under_way), GIVE_UP).await;
            abort(self.s3.clone(), self.path.clone(), id).await;
        }
    }

    fn action(&self) -> String {
        format!("write {}", self.path)
    }

    async fn send_part(&mut self) -> Result<(), StoreError> {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => self.begin().await?,
        };
        if self.next > MAX_PARTS {
            return Err(StoreError::new(
                self.action(),
                Fault::ObjectTooLarge {
                    max: PART as u64 * MAX_PARTS as u64,
                },
                None,
            ));
        }
        while self.under_way.len() >= UNDER_WAY {
            self.join_part().await?;
        }
        let (number, bytes) = (self.next, self.buffer.split().freeze());
        self.next += 1;
        let (s3, path, action) = (self.s3.clone(), self.path.clone(), self.action());
        self.under_way.spawn(async move {
            let request = s3
                .client
                .upload_part()
                .bucket(&s3.bucket)
                .key(s3.key(&path))
                .upload_id(id)
                .part_number(number)
                .body(ByteStream::new(SdkBody::from(bytes)));
            let mut request = request.customize();
            if !s3.sign_payload {
                request = request.disable_payload_signing();
            }
            let sent = request.send().await.map_err(|e| StoreError::s3(action, e))?;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
        });
        Ok(())
    }

    async fn begin(&mut self) -> Result<String, StoreError> {
        let begun = self
            .s3
            .client
            .create_multipart_upload()
            .bucket(&self.s3.bucket)
            .key(self.s3.key(&self.path))
            .send()
            .await;
        let id = begun.map_err(|e| StoreError::s3(self.action(), e))?.upload_id;
        let id = id.ok_or_else(|| StoreError::new(self.action(), Fault::Unexpected, None))?;
        self.id = Some(id.clone());
        Ok(id)
    }

    async fn join_part(&mut self) -> Result<(), StoreError> {
        match self.under_way.join_next().await {
            Some(Ok(part)) => self.done.push(part?),
            Some(Err(e)) => return Err(StoreError::new(self.action(), Fault::Unexpected, Some(e.into()))),
            None => {}
        }
        Ok(())
    }

    async fn complete(&mut self) -> Result<Created, StoreError> {
        let mut last = None;
        for attempt in 0..TRIES {
            pause(attempt).await;
            let parts = CompletedMultipartUpload::builder().set_parts(Some(self.done.clone())).build();
            let request = self.s3.client.complete_multipart_upload().bucket(&self.s3.bucket).key(self.s3.key(&self.path));
            let request = request.set_upload_id(self.id.clone()).multipart_upload(parts).if_none_match("*");
            let error = match request
                .customize()
                .config_override(Config::builder().retry_config(RetryConfig::disabled()))
                .send()
                .await
            {
                Ok(_) => return Ok(Created::New),
                Err(e) => match conditional(&e) {
                    // After an unanswered try the object can only be ours: a key that is streamed names its pod.
                    Some(Answered::Taken) if last.is_some() && self.is_there().await? => return Ok(Created::New),
                    Some(Answered::Taken) => return Ok(Created::Existing),
                    Some(_) => StoreError::new(self.action(), Fault::ServerError, None),
                    None => StoreError::s3(self.action(), e),
                },
            };
            if !error.is_ambiguous() {
                return Err(error);
            }
            if self.is_there().await.unwrap_or(false) {
                return Ok(Created::New);
            }
            last = Some(error);
        }
        Err(last.unwrap_or_else(|| StoreError::new(self.action(), Fault::Unexpected, None)))
    }

    async fn is_there(&self) -> Result<bool, StoreError> {
        Ok(self.s3.size(&self.path).await? == Some(self.size))
    }
}

/// Waits for the parts under way: one that arrives after the upload was aborted is kept, and paid for, until the bucket's
/// own rule removes it. Those that take longer are dropped.
async fn settle(mut parts: Parts, patience: Duration) {
    let _ = tokio::time::timeout(patience, async { while parts.join_next().await.is_some() {} }).await;
    parts.shutdown().await;
}

async fn abort(s3: S3, path: String, id: String) {
    let request = s3.client.abort_multipart_upload().bucket(&s3.bucket).key(s3.key(&path)).upload_id(id);
    match tokio::time::timeout(GIVE_UP, request.send()).await {
        Ok(Ok(_)) => {}
        Ok(Err(e)) => tracing::warn!(path, error = %StoreError::s3("abort the upload", e), "could not abort an unfinished upload"),
        Err(_) => tracing::warn!(path, "could not abort an unfinished upload: no answer in time"),
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (parts, s3, path) = (std::mem::take(&mut self.under_way), self.s3.clone(), self.path.clone());
            runtime.spawn(async move {
                settle(parts, AT_DROP).await;
                abort(s3, path, id).await;
            });
        }
    }
}
