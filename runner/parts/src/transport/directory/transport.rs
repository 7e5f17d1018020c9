//! The transport into a directory. `link(2)` gives a file its final name and fails when that is taken.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures::StreamExt;
use sha2::Digest as _;
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::DirectoryOptions;
use crate::transport::contract::{Body, Digest, RemoteName, Stopped, Transport};
use crate::transport::error::{Fault, TransportError};

/// Bytes read at once.
const BLOCK: usize = 256 << 10;

/// A receiver that is a directory. Every name lies below it: one that does not is taken as relative to it.
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory that `options` name.
    pub fn new(options: &DirectoryOptions) -> Self {
        Self {
            root: PathBuf::from(&options.path),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = Path::new(name);
        if path.starts_with(&self.root) {
            path.to_owned()
        } else {
            self.root.join(name.trim_start_matches('/'))
        }
    }
}

#[async_trait]
impl Transport for Directory {
    async fn inspect(&self, name: &RemoteName) -> Result<Option<u64>, TransportError> {
        match fs::symlink_metadata(self.path(name.as_str())).await {
            Ok(found) => Ok(Some(found.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(TransportError::io(format!("look at {name}"), e, Fault::DirectoryMissing)),
        }
    }

    async fn digest(&self, name: &RemoteName) -> Result<Option<Digest>, TransportError> {
        let failed = |e| TransportError::io(format!("read {name}"), e, Fault::Missing);
        let mut file = match fs::File::open(self.path(name.as_str())).await {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let (mut hash, mut size, mut block) = (sha2::Sha256::new(), 0, vec![0; BLOCK]);
        loop {
            let read = file.read(&mut block).await.map_err(failed)?;
            if read == 0 {
                return Ok(Some(Digest {
                    size,
                    sha256: hex::encode(hash.finalize()),
                }));
            }
            hash.update(&block[..read]);
            size += read as u64;
        }
    }

    async fn upload(&self, temporary: &RemoteName, mut body: Body<'_>) -> Result<u64, TransportError> {
        let action = || format!("upload {temporary}");
        let failed = |e| TransportError::io(action(), e, Fault::DirectoryMissing);
        // Made anew, never opened: a link that somebody put under the name would lead the bytes elsewhere.
        let path = self.path(temporary.as_str());
        match fs::remove_file(&path).await {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        let mut file = fs::File::create_new(path).await.map_err(failed)?;
        let mut size = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|Stopped| TransportError::new(action(), Fault::BodyStopped, None))?;
            file.write_all(&chunk).await.map_err(failed)?;
            size += chunk.len() as u64;
        }
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        Ok(size)
    }

    async fn commit(&self, temporary: &RemoteName, to: &RemoteName) -> Result<(), TransportError> {
        let action = || format!("rename {temporary} to {to}");
        let (from, to) = (self.path(temporary.as_str()), self.path(to.as_str()));
        fs::hard_link(&from, &to).await.map_err(|e| TransportError::io(action(), e, Fault::Missing))?;
        fs::remove_file(&from).await.map_err(|e| TransportError::io(action(), e, Fault::Missing))?;
        if let Some(parent) = to.parent() {
            let parent = fs::File::open(parent)
                .await
                .map_err(|e| TransportError::io(action(), e, Fault::DirectoryMissing))?;
            parent.sync_all().await.map_err(|e| TransportError::io(action(), e, Fault::DirectoryMissing))?;
        }
        Ok(())
    }

    async fn remove(&self, name: &RemoteName) -> Result<(), TransportError> {
        match fs::remove_file(self.path(name.as_str())).await {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(TransportError::io(format!("remove {name}"), e, Fault::Missing)),
            _ => Ok(()),
        }
    }

    async fn probe(&self, directory: &str) -> Result<(), TransportError> {
        let action = || format!("look at directory {directory}");
        match fs::metadata(self.path(directory)).await {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(TransportError::new(action(), Fault::DirectoryMissing, None)),
            Err(e) => Err(TransportError::io(action(), e, Fault::DirectoryMissing)),
        }
    }

    async fn close(self: Box<Self>) {}
}
