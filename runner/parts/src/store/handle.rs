//! The store as its users see it; the members do the work. It decides nothing about retries of a run.

use bytes::Bytes;
use futures::stream::BoxStream;

use super::directory::{self, Directory};
use super::error::{Fault, StoreError};
use super::key::Key;
use super::options::StoreOptions;
use super::s3::S3;
use super::upload::Upload;
use crate::secrets::SecretFiles;

/// The key of an S3 store's Secret that holds the access key.
const ACCESS_KEY: &str = "accessKeyId";
/// The key of an S3 store's Secret that holds its secret.
const SECRET_KEY: &str = "secretAccessKey";

/// Where artifacts live. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Member);

#[derive(Clone, Debug)]
enum Member {
    S3(S3),
    Directory(Directory),
}

/// What a create-if-absent came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Created {
    /// The object was not there and now is, with these bytes.
    New,
    /// The object was there already and is unchanged.
    Existing,
}

/// An object's bytes as they arrive.
pub struct ObjectStream {
    /// Bytes of the whole object, also when the stream begins further on.
    pub size: u64,
    /// The bytes from the offset that was asked for.
    pub body: BoxStream<'static, Result<Bytes, StoreError>>,
}

/// An object under way: it exists from [`Writer::finish`] on, not before. Dropped without it, nothing is left of it.
pub struct Writer(WriterMember);

enum WriterMember {
    S3(Box<Upload>),
    Directory(directory::FileWriter),
}

impl Store {
    /// The store that `options` describe; every key begins with their prefix and `prefix`. Nothing is sent yet.
    pub async fn open(options: &StoreOptions, credentials: Option<&SecretFiles>, prefix: &str) -> Result<Self, StoreError> {
        let StoreOptions::S3(s3) = options else {
            return Self::directory(options, prefix);
        };
        let Some(credentials) = credentials else {
            return Err(StoreError::new(format!("use bucket {}", s3.bucket), Fault::CredentialsMissing, None));
        };
        let (host, port) = s3.host_and_port();
        credentials.allow(&host, port)?;
        let (access, secret) = (credentials.get(ACCESS_KEY)?, credentials.get(SECRET_KEY)?);
        let authority = s3.ca_key.as_deref().map(|key| credentials.get(key)).transpose()?;
        Ok(Self(Member::S3(S3::new(
            s3,
            access.expose(),
            secret.expose(),
            authority.as_ref().map(|a| a.expose()),
            prefix,
        )?)))
    }

    /// The same with keys that the caller got elsewhere. A store with a certificate authority of its own needs
    /// [`Store::open`].
    pub fn open_with(options: &StoreOptions, access_key: &str, secret_key: &str, prefix: &str) -> Result<Self, StoreError> {
        match options {
            StoreOptions::S3(s3) if s3.ca_key.is_some() => Err(StoreError::new(format!("use bucket {}", s3.bucket), Fault::CaUnreadable, None)),
            StoreOptions::S3(s3) => Ok(Self(Member::S3(S3::new(s3, access_key, secret_key, None, prefix)?))),
            StoreOptions::Directory(_) => Self::directory(options, prefix),
        }
    }

    fn directory(options: &StoreOptions, prefix: &str) -> Result<Self, StoreError> {
        match options {
            StoreOptions::Directory(o) => Ok(Self(Member::Directory(Directory::new(o, prefix)?))),
            StoreOptions::S3(o) => Err(StoreError::new(format!("use bucket {} as a directory", o.bucket), Fault::Unexpected, None)),
        }
    }

    /// Writes an object unless there is one. When the answer to a write was lost, the object is read back and compared:
    /// two writers must therefore never write the same bytes to one key, which is why each content names its pod.
    pub async fn create(&self, key: &Key, body: Bytes) -> Result<Created, StoreError> {
        let path = key.to_string();
        match &self.0 {
            Member::S3(s3) => s3.create(&path, body).await,
            Member::Directory(d) => d.create(&path, body).await,
        }
    }

    /// A small object as a whole, or `None` when there is none.
    pub async fn get(&self, path: &str, max_bytes: usize) -> Result<Option<Bytes>, StoreError> {
        check(path)?;
        match &self.0 {
            Member::S3(s3) => s3.get(path, max_bytes).await,
            Member::Directory(d) => d.get(path, max_bytes).await,
        }
    }

    /// An object's bytes from `offset` on, or `None` when there is none.
    pub async fn stream(&self, path: &str, offset: u64) -> Result<Option<ObjectStream>, StoreError> {
        check(path)?;
        match &self.0 {
            Member::S3(s3) => s3.stream(path, offset).await,
            Member::Directory(d) => d.stream(path, offset).await,
        }
    }

    /// A writer of an object of any size, create-if-absent when it is finished.
    pub async fn writer(&self, key: &Key) -> Result<Writer, StoreError> {
        let path = key.to_string();
        Ok(Writer(match &self.0 {
            Member::S3(s3) => WriterMember::S3(Box::new(Upload::new(s3.clone(), path))),
            Member::Directory(d) => WriterMember::Directory(d.writer(&path).await?),
        }))
    }

    /// Two conditional writes of one key: exactly one may win, and its bytes must be there. Leaves nothing behind.
    pub async fn probe(&self, id: &str) -> Result<(), StoreError> {
        let key = Key::Probe { id: id.to_owned() };
        let path = key.to_string();
        let action = || format!("write {path} twice");
        let (one, two) = (Bytes::from(format!("one {id}")), Bytes::from(format!("two {id}")));
        let first = self.create(&key, one.clone()).await?;
        let second = self.create(&key, two).await;
        let content = self.get(&path, 4096).await;
        let removed = self.remove(&path).await;
        match (first, second?) {
            (Created::New, Created::Existing) => {}
            _ => return Err(StoreError::new(action(), Fault::NoConditionalWrites, None)),
        }
        if content? != Some(one) {
            return Err(StoreError::new(action(), Fault::Changed, None));
        }
        match removed {
            // A bucket that keeps everything for years is a good store.
            Err(e) if e.fault() == Some(Fault::AccessDenied) => Ok(()),
            other => other,
        }
    }

    async fn remove(&self, path: &str) -> Result<(), StoreError> {
        match &self.0 {
            Member::S3(s3) => s3.remove(path).await,
            Member::Directory(d) => d.remove(path).await,
        }
    }
}

impl Writer {
    /// Takes the next bytes; waits while too many are under way.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        match &mut self.0 {
            WriterMember::S3(w) => w.write(chunk).await,
            WriterMember::Directory(w) => w.write(chunk).await,
        }
    }

    /// Makes the object visible, unless there is one.
    pub async fn finish(self) -> Result<Created, StoreError> {
        match self.0 {
            WriterMember::S3(w) => w.finish().await,
            WriterMember::Directory(w) => w.finish().await,
        }
    }

    /// Leaves nothing behind.
    pub async fn abort(self) {
        match self.0 {
            WriterMember::S3(w) => w.abort().await,
            WriterMember::Directory(w) => w.abort().await,
        }
    }
}

/// Refuses what is not spelled as [`Key`] spells it: paths come back from manifests, databases and requests.
fn check(path: &str) -> Result<(), StoreError> {
    let segment = |s: &str| !s.is_empty() && !s.starts_with('.') && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%".contains(&b));
    if path.len() <= 1024 && path.split('/').all(segment) {
        Ok(())
    } else {
        Err(StoreError::new("read an object", Fault::BadKey, None))
    }
}

#[cfg(test)]
mod unit {
    use super::check;

    #[test]
    fn only_keys_are_paths() {
        for good in ["runs/r/p/artifacts/a%20b.csv", "deliveries/d/%2Fin%2Fx.csv/claim-0001", "a"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "runs/../x",
            "runs/./x",
            "runs//x",
            "runs/r/",
            "runs/.hidden",
            "a\\b",
            "a\0b",
            "a b",
            &"x".repeat(1025),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
