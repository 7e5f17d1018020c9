//! The SFTP transport. Reads and writes are pipelined: up to [`DEPTH`] blocks of [`BLOCK`] bytes are under way, which is
//! all the memory an upload takes. A file gets its final name by plain `SSH_FXP_RENAME`, which by the protocol's draft
//! fails when the name is taken, never by the `posix-rename` extension, which replaces. OpenSSH's server does it with
//! `link` and `unlink`, in one step; only on file systems without hard links does it look first and then rename.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use russh::Disconnect;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sha2::Digest as _;

use super::options::SftpOptions;
use super::session::{Session, connect};
use crate::secrets::SecretFiles;
use crate::transport::contract::{Body, Digest, RemoteName, Stopped, Transport};
use crate::transport::error::{Cause, Fault, TransportError};

/// Bytes of one request: what every server takes (the draft's 34000 with the packet around them).
const BLOCK: usize = 32 << 10;
/// Requests under way: 2 MiB, enough for 100 MiB/s at 20 ms.
const DEPTH: usize = 64;

/// How often a request that waits asks whether the connection still stands.
const LOOK: Duration = Duration::from_millis(500);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

const FSYNC: &str = "fsync@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";

/// A receiver that speaks SFTP.
pub struct Sftp {
    session: Session,
}

impl Sftp {
    /// Connects, checks the host key, logs in and starts SFTP.
    pub async fn connect(options: &SftpOptions, credentials: Option<&SecretFiles>) -> Result<Self, TransportError> {
        Ok(Self {
            session: connect(options, credentials).await?,
        })
    }

    fn has(&self, extension: &str) -> bool {
        self.session.extensions.iter().any(|e| e == extension)
    }

    /// The result of `work` while the connection stands. A request that is sent at the very moment in which the connection
    /// breaks is told so by nobody, and would wait for its whole time limit.
    async fn alive<T, E: From<SftpError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let gone = async {
            while !self.session.connection.is_closed() {
                tokio::time::sleep(LOOK).await;
            }
            // What had arrived before is answered first.
            tokio::time::sleep(LOOK).await;
        };
        tokio::select! {
            biased;
            done = work => done,
            () = gone => Err(SftpError::UnexpectedBehavior("the connection is closed".into()).into()),
        }
    }

    /// The size of what has that name, without following a link.
    async fn size(&self, path: &str) -> Result<Option<u64>, SftpError> {
        match self.alive(self.session.sftp.lstat(path)).await {
            Ok(found) => Ok(Some(found.attrs.size.unwrap_or(0))),
            Err(SftpError::Status(s)) if s.status_code == StatusCode::NoSuchFile => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Judges an error. `missing` is what it means that something is not there.
    fn judge(&self, action: String, error: SftpError, missing: Fault) -> TransportError {
        let fault = match &error {
            SftpError::Status(s) => match s.status_code {
                StatusCode::NoSuchFile => missing,
                StatusCode::PermissionDenied => Fault::PermissionDenied,
                StatusCode::NoConnection | StatusCode::ConnectionLost => Fault::ConnectionLost,
                _ if says_disk_full(&s.error_message) => Fault::DiskFull,
                _ => Fault::ReceiverFailed,
            },
            SftpError::Timeout | SftpError::IO(_) | SftpError::UnexpectedBehavior(_) => Fault::ConnectionLost,
            SftpError::Limited(_) | SftpError::UnexpectedPacket => Fault::ReceiverFailed,
        };
        TransportError::new(action, fault, Some(Cause::from(error)))
    }

    /// Judges an error of writing: version 3 has no word for a full disk, so the file system is asked.
    async fn judge_write(&self, action: String, name: &RemoteName, error: SftpError) -> TransportError {
        let mute = matches!(&error, SftpError::Status(s) if s.status_code == StatusCode::Failure);
        if mute
            && self.has(STATVFS)
            && let Ok(disk) = self.alive(self.session.sftp.statvfs(name.directory())).await
        {
            // Less than two blocks of ours is full for any purpose.
            let bytes = disk.blocks_avail.saturating_mul(disk.fragment_size.max(1));
            if bytes < 2 * BLOCK as u64 || disk.inodes_avail == 0 && disk.inodes > 0 {
                return TransportError::new(action, Fault::DiskFull, Some(Cause::from(error)));
            }
        }
        self.judge(action, error, Fault::DirectoryMissing)
    }

    async fn write_all(&self, handle: &str, mut body: Body<'_>) -> Result<u64, Halt> {
        let mut under_way = FuturesUnordered::new();
        let (mut chunk, mut offset, mut ended) = (Bytes::new(), 0u64, false);
        loop {
            while !chunk.is_empty() && under_way.len() < DEPTH {
                let block = chunk.split_to(BLOCK.min(chunk.len()));
                let length = block.len() as u64;
                under_way.push(self.session.sftp.write(handle, offset, block.to_vec()));
                offset += length;
            }
            if ended && under_way.is_empty() {
                return Ok(offset);
            }
            tokio::select! {
                Some(written) = under_way.next(), if !under_way.is_empty() => { written?; }
                next = body.next(), if chunk.is_empty() && !ended => match next {
                    Some(Ok(bytes)) => chunk = bytes,
                    Some(Err(Stopped)) => return Err(Halt::Stopped),
                    None => ended = true,
                },
            }
        }
    }

    /// One block; a server may answer with less than was asked for.
    async fn read_block(&self, handle: &str, offset: u64) -> Result<Vec<u8>, SftpError> {
        let mut block = Vec::new();
        while block.len() < BLOCK {
            let wanted = u32::try_from(BLOCK - block.len()).unwrap_or(u32::MAX);
            match self.session.sftp.read(handle, offset + block.len() as u64, wanted).await {
                Ok(data) if data.data.is_empty() => break,
                Ok(data) => block.extend_from_slice(&data.data),
                Err(SftpError::Status(s)) if s.status_code == StatusCode::Eof => break,
                Err(e) => return Err(e),
            }
        }
        Ok(block)
    }

    async fn hash(&self, handle: &str, size: u64) -> Result<Digest, SftpError> {
        let (mut hash, mut read) = (sha2::Sha256::new(), 0u64);
        let offsets = (0..=size / BLOCK as u64).map(|i| i * BLOCK as u64);
        // The last block is asked for even when it is empty: a file that grew meanwhile must not pass.
        let mut blocks = futures::stream::iter(offsets.map(|offset| self.read_block(handle, offset))).buffered(DEPTH);
        while let Some(block) = blocks.next().await {
            let block = block?;
            hash.update(&block);
            read += block.len() as u64;
        }
        Ok(Digest {
            size: read,
            sha256: hex::encode(hash.finalize()),
        })
    }
}

/// Why writing ended early.
enum Halt {
    Stopped,
    Failed(SftpError),
}

impl From<SftpError> for Halt {
    fn from(error: SftpError) -> Self {
        Self::Failed(error)
    }
}

/// Some servers put the system's words into the answer.
fn says_disk_full(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["no space left", "disk full", "quota"].iter().any(|words| message.contains(words))
}

#[async_trait]
impl Transport for Sftp {
    async fn inspect(&self, name: &RemoteName) -> Result<Option<u64>, TransportError> {
        self.size(name.as_str())
            .await
            .map_err(|e| self.judge(format!("look at {name}"), e, Fault::Missing))
    }

    async fn digest(&self, name: &RemoteName) -> Result<Option<Digest>, TransportError> {
        let failed = |e| self.judge(format!("read {name}"), e, Fault::Missing);
        let Some(size) = self.size(name.as_str()).await.map_err(failed)? else {
            return Ok(None);
        };
        let opened = self.session.sftp.open(name.as_str(), OpenFlags::READ, FileAttributes::empty());
        let handle = match self.alive(opened).await {
            Ok(opened) => opened.handle,
            Err(SftpError::Status(s)) if s.status_code == StatusCode::NoSuchFile => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let digest = self.alive(self.hash(&handle, size)).await;
        // What was read is what counts.
        let _ = self.alive(self.session.sftp.close(handle)).await;
        digest.map(Some).map_err(failed)
    }

    async fn upload(&self, temporary: &RemoteName, body: Body<'_>) -> Result<u64, TransportError> {
        let action = || format!("upload {temporary}");
        let sftp = &self.session.sftp;
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
        let handle = match self.alive(sftp.open(temporary.as_str(), flags, FileAttributes::empty())).await {
            Ok(opened) => opened.handle,
            Err(e) => return Err(self.judge_write(action(), temporary, e).await),
        };
        let written = self.alive(self.write_all(&handle, body)).await;
        let flushed = match (&written, self.has(FSYNC)) {
            (Ok(_), true) => self.alive(sftp.fsync(handle.as_str())).await.map(drop),
            _ => Ok(()),
        };
        let closed = self.alive(sftp.close(handle)).await;
        match written {
            Err(Halt::Stopped) => Err(TransportError::new(action(), Fault::BodyStopped, None)),
            Err(Halt::Failed(e)) => Err(self.judge_write(action(), temporary, e).await),
            Ok(size) => match flushed.and(closed.map(drop)) {
                Ok(()) => Ok(size),
                Err(e) => Err(self.judge_write(action(), temporary, e).await),
            },
        }
    }

    async fn commit(&self, temporary: &RemoteName, to: &RemoteName) -> Result<(), TransportError> {
        let action = || format!("rename {temporary} to {to}");
        let Err(error) = self.alive(self.session.sftp.rename(temporary.as_str(), to.as_str())).await else {
            return Ok(());
        };
        if !matches!(error, SftpError::Status(_)) {
            return Err(self.judge(action(), error, Fault::Missing));
        }
        // The answer does not say which name is the matter.
        let fault = match (self.size(temporary.as_str()).await, self.size(to.as_str()).await) {
            (Ok(None), _) => Fault::Missing,
            (Ok(Some(_)), Ok(Some(_))) => Fault::NameTaken,
            (Ok(Some(_)), Ok(None)) => return Err(self.judge_write(action(), to, error).await),
            (Err(e), _) | (_, Err(e)) => return Err(self.judge(action(), e, Fault::Missing)),
        };
        Err(TransportError::new(action(), fault, Some(Cause::from(error))))
    }

    async fn remove(&self, name: &RemoteName) -> Result<(), TransportError> {
        match self.alive(self.session.sftp.remove(name.as_str())).await {
            Ok(_) => Ok(()),
            Err(SftpError::Status(s)) if s.status_code == StatusCode::NoSuchFile => Ok(()),
            Err(e) => Err(self.judge(format!("remove {name}"), e, Fault::Missing)),
        }
    }

    async fn probe(&self, directory: &str) -> Result<(), TransportError> {
        let action = || format!("look at directory {directory}");
        let failed = |e| self.judge(action(), e, Fault::DirectoryMissing);
        let found = self.alive(self.session.sftp.stat(directory)).await.map_err(failed)?;
        if !found.attrs.is_dir() {
            return Err(TransportError::new(action(), Fault::DirectoryMissing, None));
        }
        let opened = self.alive(self.session.sftp.opendir(directory)).await.map_err(failed)?;
        self.alive(self.session.sftp.close(opened.handle)).await.map(drop).map_err(failed)
    }

    async fn close(self: Box<Self>) {
        // The server notices a closed connection as well.
        let _ = self.session.sftp.close_session();
        let goodbye = self.session.connection.disconnect(Disconnect::ByApplication, "", "en");
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }
}
