//! A store in a directory. An object is written under a temporary name, flushed to disk and then linked to its own name:
//! `link(2)` fails when the name is taken, so two writers cannot both win, and a reader never sees half an object.
//! A process that dies in between leaves a file whose name begins with `.tmp-`, which nothing ever reads.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::error::{Fault, StoreError};
use super::handle::{Created, ObjectStream};
use super::options::DirectoryStoreOptions;

/// Bytes read or written at once.
const BLOCK: usize = 256 << 10;

#[derive(Clone, Debug)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) fn new(options: &DirectoryStoreOptions, prefix: &str) -> Result<Self, StoreError> {
        if prefix.split('/').any(|part| part == "..") {
            return Err(StoreError::new(format!("use prefix {prefix}"), Fault::BadKey, None));
        }
        Ok(Self {
            root: Path::new(&options.path).join(prefix.trim_start_matches('/')),
        })
    }

    pub(super) async fn create(&self, path: &str, body: Bytes) -> Result<Created, StoreError> {
        let (target, action) = (self.root.join(path), format!("write {path}"));
        blocking(action, move || {
            let temporary = temporary(&target)?;
            let written = fs::File::create_new(&temporary).and_then(|mut file| {
                file.write_all(&body)?;
                file.sync_all()
            });
            publish(written, &temporary, &target)
        })
        .await
    }

    pub(super) async fn get(&self, path: &str, max_bytes: usize) -> Result<Option<Bytes>, StoreError> {
        let (target, action) = (self.root.join(path), format!("read {path}"));
        let found = blocking(action.clone(), move || {
            let Some(file) = present(fs::File::open(target))? else { return Ok(None) };
            let mut bytes = Vec::new();
            file.take(max_bytes as u64 + 1).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        })
        .await?;
        match found {
            Some(bytes) if bytes.len() > max_bytes => Err(StoreError::new(action, Fault::ObjectTooLarge { max: max_bytes as u64 }, None)),
            found => Ok(found.map(Bytes::from)),
        }
    }

    pub(super) async fn stream(&self, path: &str, offset: u64) -> Result<Option<ObjectStream>, StoreError> {
        let action = format!("read {path}");
        let failed = |e| StoreError::io(action.clone(), e);
        let Some(mut file) = present(tokio::fs::File::open(self.root.join(path)).await).map_err(failed)? else {
            return Ok(None);
        };
        let size = file.metadata().await.map_err(failed)?.len();
        file.seek(io::SeekFrom::Start(offset)).await.map_err(failed)?;
        let body = tokio_util::io::ReaderStream::with_capacity(file, BLOCK)
            .map_err(move |e| StoreError::io(action.clone(), e))
            .boxed();
        Ok(Some(ObjectStream { size, body }))
    }

    pub(super) async fn writer(&self, path: &str) -> Result<FileWriter, StoreError> {
        let (target, action) = (self.root.join(path), format!("write {path}"));
        let failed = |e| StoreError::io(action.clone(), e);
        let wanted = target.clone();
        let temporary = blocking(action.clone(), move || temporary(&wanted)).await?;
        let mut file = tokio::fs::File::create_new(&temporary).await.map_err(failed)?;
        file.set_max_buf_size(BLOCK);
        Ok(FileWriter {
            file: Some(file),
            temporary: Temporary(temporary),
            target,
            action,
        })
    }

    pub(super) async fn remove(&self, path: &str) -> Result<(), StoreError> {
        let target = self.root.join(path);
        blocking(format!("remove {path}"), move || present(fs::remove_file(target)).map(drop)).await
    }
}

/// An object under way in a file that nobody reads.
pub(super) struct FileWriter {
    file: Option<tokio::fs::File>,
    temporary: Temporary,
    target: PathBuf,
    action: String,
}

/// Removes the file when it is dropped; after it was linked to its own name that does no harm.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and nothing reads what is left.
        let _ = fs::remove_file(&self.0);
    }
}

impl FileWriter {
    pub(super) async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(&chunk).await.map_err(|e| StoreError::io(self.action.clone(), e))
    }

    pub(super) async fn finish(mut self) -> Result<Created, StoreError> {
        let failed = |e| StoreError::io(self.action.clone(), e);
        let Some(mut file) = self.file.take() else {
            return Err(StoreError::new(self.action.clone(), Fault::Unexpected, None));
        };
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        let (temporary, target) = (self.temporary.0.clone(), self.target.clone());
        blocking(self.action.clone(), move || publish(Ok(()), &temporary, &target)).await
    }

    pub(super) async fn abort(self) {}
}

/// A name beside `target` that no other writer uses, in a directory that exists.
fn temporary(target: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let parent = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    // The number tells the writers of a process apart, time and process id those of different processes and pods.
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    Ok(parent.join(format!(".tmp-{nanos:x}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))))
}

/// Links a whole file to its name if that is free; the temporary name is gone afterwards in any case.
fn publish(written: io::Result<()>, temporary: &Path, target: &Path) -> io::Result<Created> {
    let linked = written.and_then(|()| fs::hard_link(temporary, target));
    let _ = fs::remove_file(temporary);
    match linked {
        Ok(()) => {
            if let Some(parent) = target.parent() {
                // The name is on disk only when its directory is.
                fs::File::open(parent)?.sync_all()?;
            }
            Ok(Created::New)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Existing),
        Err(e) => Err(e),
    }
}

/// `None` for what is not there.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Runs file operations where they may block.
async fn blocking<T: Send + 'static>(action: String, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|e| StoreError::io(action, e)),
        Err(e) => Err(StoreError::new(action, Fault::Unexpected, Some(e.into()))),
    }
}
