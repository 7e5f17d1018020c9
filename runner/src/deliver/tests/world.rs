//! What the tests stand on: a store and a receiver in a directory, and a transport that fails, hangs and lies on demand.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use openreg_parts::store::key::Key;
use openreg_parts::store::manifest::{self, Manifest};
use openreg_parts::store::{Created, DirectoryStoreOptions, Store, StoreOptions};
use openreg_parts::transport::directory::{Directory, DirectoryOptions};
use openreg_parts::transport::{Body, Digest, Fault, RemoteName, Transport, TransportError, TransportOptions};
use openreg_plan::digest::Sha256;
use openreg_plan::plan::{Destination, Verify};
use tokio_util::sync::CancellationToken;

use super::super::decide::Step;
use super::super::file::When;
use super::super::{DeliverRequest, Delivered, Ground, deliver_on};

/// A source of numbers that repeats itself for the same seed (SplitMix64).
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(super) fn roll(&self, sides: u64) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What the transport does besides its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mischief {
    /// Nothing.
    None,
    /// Any call may fail before it does anything, or after it did all or a part.
    Random,
    /// The upload stops for ever in the middle.
    HangsInUpload,
    /// Bytes are lost on the way: the file is shorter.
    LosesBytes,
    /// Bytes are changed on the way.
    ChangesBytes,
    /// The receiver takes a file away as soon as it has its final name, and the answer is lost.
    TakesAtOnce,
    /// The answer to the rename is lost, and the rename comes through just after somebody looked at one name.
    RenamesLate,
    /// The receiver links a file to its final name and is not allowed to take the temporary one away.
    MayNotUnlink,
}

pub(super) struct World {
    _directory: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) destination: Destination,
    pub(super) content: Vec<u8>,
    pub(super) manifest_sha256: Sha256,
    pub(super) dice: Arc<Dice>,
    /// How often a file became visible under a final name.
    pub(super) visible: Arc<AtomicU32>,
    /// Whether the receiver's server may die between link and unlink.
    pub(super) halfway: bool,
    late: Late,
    pub(super) names: Vec<String>,
    pub(super) path: std::path::PathBuf,
}

/// The rename that the receiver was told of and has not done yet.
type Late = Arc<Mutex<Option<(RemoteName, RemoteName)>>>;

pub(super) const RUN: &str = "3f0e";

impl World {
    pub(super) async fn new(seed: u64, size: usize, names: &[&str]) -> Self {
        // Memory where there is some: thousands of deliveries flush to disk.
        let directory = if std::path::Path::new("/dev/shm").is_dir() {
            tempfile::tempdir_in("/dev/shm")
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let path = directory.path().to_owned();
        std::fs::create_dir(path.join("in")).unwrap();
        let options = StoreOptions::Directory(DirectoryStoreOptions {
            path: path.join("store").display().to_string(),
        });
        let store = Store::open(&options, None, "tenant/").await.unwrap();
        let dice = Arc::new(Dice::new(seed));
        let content: Vec<u8> = (0..size).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect();
        let mut artifacts = Vec::new();
        for name in names {
            let key = Key::Artifact {
                run: RUN.into(),
                pod: "maker".into(),
                name: (*name).into(),
            };
            assert_eq!(store.create(&key, content.clone().into()).await.unwrap(), Created::New);
            artifacts.push(manifest::Artifact {
                name: (*name).into(),
                key: key.to_string(),
                size: size as u64,
                sha256: Sha256::of(&content).to_string(),
                records: 1,
                media_type: "text/csv".into(),
            });
        }
        let manifest = Manifest {
            version: manifest::VERSION,
            run: RUN.into(),
            plan_sha256: Sha256::of(b"plan").to_string(),
            pod: "maker".into(),
            outcome: manifest::Outcome::Complete,
            artifacts,
            datasets: vec![],
            rules: vec![],
            violations: None,
        };
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let manifest_sha256 = Sha256::of(&bytes);
        store.create(&Key::Manifest { run: RUN.into() }, bytes.into()).await.unwrap();
        let receiver = path.join("in").display().to_string();
        let destination = Destination {
            name: "regulator".into(),
            id: "d-1".into(),
            transport: TransportOptions::Directory(DirectoryOptions { path: receiver.clone() }),
            credentials: None,
            directory: receiver,
            temporary_prefix: ".".into(),
            verify: Verify::SizeAndHash,
            timeout_seconds: 60,
        };
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        Self {
            _directory: directory,
            store,
            destination,
            content,
            manifest_sha256,
            dice,
            visible: Arc::default(),
            halfway: true,
            late: Late::default(),
            names,
            path,
        }
    }

    pub(super) fn request(&self, pod: &str, ended: &[&str]) -> DeliverRequest {
        DeliverRequest {
            destination: 0,
            attempt: 1,
            pod: pod.into(),
            ended_pods: ended.iter().map(|p| (*p).to_owned()).collect(),
            manifest_sha256: self.manifest_sha256.clone(),
        }
    }

    pub(super) async fn deliver(&self, pod: &str, ended: &[&str]) -> Delivered {
        self.deliver_with(self.request(pod, ended), Mischief::None, &|_, _| false, CancellationToken::new())
            .await
    }

    pub(super) async fn deliver_with(
        &self,
        request: DeliverRequest,
        mischief: Mischief,
        dies: &(dyn Fn(&Step, When) -> bool + Send + Sync),
        cancel: CancellationToken,
    ) -> Delivered {
        let connect = || {
            let TransportOptions::Directory(options) = &self.destination.transport else {
                panic!("a directory")
            };
            let transport: Box<dyn Transport> = Box::new(Mischievous {
                inner: Directory::new(options),
                mischief,
                dice: self.dice.clone(),
                visible: self.visible.clone(),
                halfway: self.halfway,
                late: self.late.clone(),
            });
            async move { Ok::<_, TransportError>(transport) }.boxed()
        };
        let ground = Ground {
            store: &self.store,
            destination: &self.destination,
            connect: &connect,
            progress: &|_| {},
            pause: Duration::ZERO,
            dies,
        };
        deliver_on(&ground, RUN, &request, cancel).await
    }

    /// Names that lie at the receiver.
    pub(super) fn lies(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.path.join("in"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Fails when anything but a whole file has a final name.
    pub(super) fn nothing_partial(&self) {
        for name in &self.names {
            if let Ok(bytes) = std::fs::read(self.path.join("in").join(name)) {
                assert!(bytes == self.content, "{name} is not whole");
            }
        }
    }

    pub(super) fn visible(&self) -> u32 {
        self.visible.load(Ordering::SeqCst)
    }

    pub(super) async fn has_receipt(&self, name: &str) -> bool {
        self.has(&self.receipt(name)).await
    }

    pub(super) async fn has(&self, key: &Key) -> bool {
        self.store.get(&key.to_string(), 1 << 16).await.unwrap().is_some()
    }

    pub(super) fn receipt(&self, name: &str) -> Key {
        let remote = format!("{}/{name}", self.destination.directory);
        Key::Receipt {
            destination: "d-1".into(),
            remote,
        }
    }

    pub(super) fn committing(&self, name: &str) -> Key {
        let remote = format!("{}/{name}", self.destination.directory);
        Key::Committing {
            destination: "d-1".into(),
            remote,
        }
    }

    pub(super) fn claim(&self, name: &str, number: u32) -> Key {
        let remote = format!("{}/{name}", self.destination.directory);
        Key::Claim {
            destination: "d-1".into(),
            remote,
            number,
        }
    }

    /// Where the store keeps the object.
    pub(super) fn kept_at(&self, key: &Key) -> std::path::PathBuf {
        self.path.join("store/tenant").join(key.to_string())
    }
}

struct Mischievous {
    inner: Directory,
    mischief: Mischief,
    dice: Arc<Dice>,
    visible: Arc<AtomicU32>,
    halfway: bool,
    late: Late,
}

impl Mischievous {
    /// Breaks the connection, sometimes.
    fn may_break(&self) -> Result<(), TransportError> {
        if self.mischief == Mischief::Random && self.dice.roll(12) == 0 {
            Err(lost())
        } else {
            Ok(())
        }
    }
}

impl Mischievous {
    /// The beginning of the file, and no more.
    async fn half(&self, temporary: &RemoteName, pieces: Body<'_>) -> Result<u64, TransportError> {
        self.inner.upload(temporary, pieces.take(3).boxed()).await
    }
}

fn lost() -> TransportError {
    TransportError::new("talk to the receiver", Fault::ConnectionLost, None)
}

#[async_trait]
impl Transport for Mischievous {
    async fn inspect(&self, name: &RemoteName) -> Result<Option<u64>, TransportError> {
        self.may_break()?;
        let found = self.inner.inspect(name).await;
        let late = self.late.lock().unwrap().take();
        if let Some((temporary, to)) = late {
            self.inner.commit(&temporary, &to).await?;
            self.visible.fetch_add(1, Ordering::SeqCst);
        }
        found
    }

    async fn digest(&self, name: &RemoteName) -> Result<Option<Digest>, TransportError> {
        self.may_break()?;
        self.inner.digest(name).await
    }

    async fn upload(&self, temporary: &RemoteName, body: Body<'_>) -> Result<u64, TransportError> {
        self.may_break()?;
        // In small pieces, so that there is a middle.
        let pieces = body.flat_map(|chunk| {
            let pieces: Vec<_> = match chunk {
                Ok(bytes) => bytes.chunks(64).map(|c| Ok(Bytes::copy_from_slice(c))).collect(),
                Err(stopped) => vec![Err(stopped)],
            };
            futures::stream::iter(pieces)
        });
        match self.mischief {
            Mischief::HangsInUpload => {
                self.half(temporary, pieces.boxed()).await?;
                futures::future::pending().await
            }
            Mischief::Random if self.dice.roll(6) == 0 => {
                self.half(temporary, pieces.boxed()).await?;
                Err(lost())
            }
            Mischief::LosesBytes => {
                let size = self.inner.upload(temporary, pieces.boxed()).await?;
                let file = std::fs::OpenOptions::new().write(true).open(temporary.as_str()).unwrap();
                file.set_len(size - 1).unwrap();
                Ok(size)
            }
            Mischief::ChangesBytes => {
                let changed = pieces.map(|p| p.map(|b| b.iter().map(|x| x ^ 1).collect::<Bytes>()));
                self.inner.upload(temporary, changed.boxed()).await
            }
            _ => {
                let size = self.inner.upload(temporary, pieces.boxed()).await?;
                self.may_break()?;
                Ok(size)
            }
        }
    }

    async fn commit(&self, temporary: &RemoteName, to: &RemoteName) -> Result<(), TransportError> {
        self.may_break()?;
        if self.mischief == Mischief::Random && self.halfway && self.dice.roll(10) == 0 {
            // The server links and dies before it unlinks.
            if std::fs::hard_link(temporary.as_str(), to.as_str()).is_ok() {
                self.visible.fetch_add(1, Ordering::SeqCst);
            }
            return Err(lost());
        }
        match self.mischief {
            Mischief::RenamesLate => {
                *self.late.lock().unwrap() = Some((temporary.clone(), to.clone()));
                return Err(lost());
            }
            Mischief::MayNotUnlink => {
                std::fs::hard_link(temporary.as_str(), to.as_str()).unwrap();
                self.visible.fetch_add(1, Ordering::SeqCst);
                return Err(TransportError::new("remove the temporary file", Fault::PermissionDenied, None));
            }
            _ => {}
        }
        self.inner.commit(temporary, to).await?;
        self.visible.fetch_add(1, Ordering::SeqCst);
        if self.mischief == Mischief::TakesAtOnce {
            std::fs::remove_file(to.as_str()).unwrap();
            return Err(lost());
        }
        self.may_break()
    }

    async fn remove(&self, name: &RemoteName) -> Result<(), TransportError> {
        self.may_break()?;
        self.inner.remove(name).await
    }

    async fn probe(&self, directory: &str) -> Result<(), TransportError> {
        self.inner.probe(directory).await
    }

    async fn close(self: Box<Self>) {}
}
