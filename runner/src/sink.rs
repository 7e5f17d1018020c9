//! Bytes on their way into one object of the store. The object appears when the bytes are finished; when their sender
//! goes away without that word, nothing is left.

use bytes::Bytes;
use openreg_parts::error::Class;
use openreg_parts::store::key::Key;
use openreg_parts::store::manifest::StoredObject;
use openreg_parts::store::{Created, Store, Writer};
use openreg_plan::report::Stage;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::stage::StageError;

/// Chunks that may wait for the store.
const WAITING: usize = 4;

enum Message {
    Chunk(Bytes),
    Finish,
}

/// Where a thread puts bytes; they are hashed here, once.
pub(crate) struct Outlet {
    sender: mpsc::Sender<Message>,
    key: String,
    hash: Sha256,
    size: u64,
}

/// The other end is gone; it knows why.
#[derive(Debug)]
pub(crate) struct Closed;

impl Outlet {
    /// Hands over the next bytes; blocks while too many wait.
    pub(crate) fn push(&mut self, chunk: Bytes) -> Result<(), Closed> {
        self.hash.update(&chunk);
        self.size += chunk.len() as u64;
        self.sender.blocking_send(Message::Chunk(chunk)).map_err(|_| Closed)
    }

    /// Makes the object of all bytes so far; without this call there is none.
    pub(crate) fn finish(self) -> Result<StoredObject, Closed> {
        self.sender.blocking_send(Message::Finish).map_err(|_| Closed)?;
        Ok(StoredObject {
            key: self.key,
            size: self.size,
            sha256: hex::encode(self.hash.finalize()),
        })
    }
}

/// Ends when the object is there, or when there will be none.
pub(crate) type Stored = tokio::task::JoinHandle<Result<(), StageError>>;

/// A task that writes the object `key`, and where its bytes go. Nothing is opened before the first byte. `stop` ends it
/// wherever it is.
pub(crate) fn open(store: &Store, key: Key, tasks: &TaskTracker, stop: &CancellationToken) -> (Outlet, Stored) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let outlet = Outlet {
        sender,
        key: key.to_string(),
        hash: Sha256::new(),
        size: 0,
    };
    let (store, stop) = (store.clone(), stop.clone());
    let task = tasks.spawn(async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            done = write(store, key, receiver) => done,
        }
    });
    (outlet, task)
}

async fn write(store: Store, key: Key, mut receiver: mpsc::Receiver<Message>) -> Result<(), StageError> {
    let mut writer: Option<Writer> = None;
    loop {
        match receiver.recv().await {
            Some(Message::Chunk(chunk)) => {
                let open = match &mut writer {
                    Some(open) => open,
                    None => writer.insert(store.writer(&key).await.map_err(StageError::at(Stage::Store))?),
                };
                if let Err(error) = open.write(chunk).await {
                    if let Some(writer) = writer {
                        writer.abort().await;
                    }
                    return Err(StageError::new(Stage::Store, &error));
                }
            }
            Some(Message::Finish) => {
                let writer = match writer {
                    Some(writer) => writer,
                    None => store.writer(&key).await.map_err(StageError::at(Stage::Store))?,
                };
                return match writer.finish().await.map_err(StageError::at(Stage::Store))? {
                    Created::New => Ok(()),
                    // Keys contain the pod: only the same pod can have written it.
                    Created::Existing => Err(StageError::plain(
                        Stage::Store,
                        Class::Internal,
                        "ObjectExists",
                        format!("could not write {key}: it is there already"),
                    )
                    .with_hint("run again: a new attempt writes elsewhere")),
                };
            }
            None => {
                if let Some(writer) = writer {
                    writer.abort().await;
                }
                return Ok(());
            }
        }
    }
}
