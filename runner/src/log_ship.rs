//! Log lines on their way into the store while the run runs, so that the log of a pod that is killed is there too. Lines
//! are written to standard error first; what the store does not take is kept up to [`MAX_BUFFER`] and then dropped, and
//! a line says how many. It never fails a run and never waits in a log call.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openreg_parts::store::key::Key;
use openreg_parts::store::{Created, Store};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

/// What libraries may log, whatever level is asked for. Below that they write out the values of parameters, requests with
/// their signatures and packets of a log-in.
pub const QUIET: &str = "tokio_postgres=warn,russh=warn,russh_sftp=warn,aws_sdk_s3=warn,aws_runtime=warn,aws_sigv4=warn,aws_smithy_runtime=warn,\
    aws_smithy_runtime_api=warn,aws_smithy_http_client=warn,hyper=warn,hyper_util=warn,h2=warn,rustls=warn";

/// How long a line may wait.
const INTERVAL: Duration = Duration::from_secs(1);
/// Bytes that are not made to wait.
const CHUNK: usize = 64 << 10;
/// Bytes that are kept while the store does not answer.
const MAX_BUFFER: usize = 1 << 20;

/// Takes log lines; give it to the subscriber.
#[derive(Clone)]
pub struct LogWriter {
    shared: Arc<Shared>,
    echo: bool,
}

/// Carries them to the store.
pub struct LogShip {
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    enough: Notify,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that waits, and a line about what was dropped.
    fn take(&self) -> Bytes {
        let mut waiting = self.waiting();
        let mut lines = std::mem::take(&mut waiting.lines);
        let dropped = std::mem::take(&mut waiting.dropped);
        drop(waiting);
        if dropped > 0 {
            let line = serde_json::json!({"timestamp": jiff::Timestamp::now().to_string(), "level": "WARN", "message": "log lines were dropped: the store did not take them in time", "lines": dropped});
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
        }
        lines.into()
    }
}

impl LogShip {
    /// A ship in the harbour, and the writer that loads it. `echo` writes each line to standard error as well.
    pub fn new(echo: bool) -> (Self, LogWriter) {
        let shared = Arc::new(Shared::default());
        (
            Self {
                shared: shared.clone(),
                stop: CancellationToken::new(),
                task: None,
            },
            LogWriter { shared, echo },
        )
    }

    /// Lines leave from now on.
    pub fn start(&mut self, store: Store, run: String, pod: String) {
        if self.task.is_none() {
            self.task = Some(tokio::spawn(sail(self.shared.clone(), self.stop.clone(), store, run, pod)));
        }
    }

    /// Ships what is left; gives up after `patience`.
    pub async fn finish(self, patience: Duration) {
        self.stop.cancel();
        if let Some(mut task) = self.task
            && tokio::time::timeout(patience, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

async fn sail(shared: Arc<Shared>, stop: CancellationToken, store: Store, run: String, pod: String) {
    let mut number = 0;
    // A chunk that the store has not taken yet keeps its bytes and its number: it may have been taken unnoticed.
    let mut chunk = Bytes::new();
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            () = shared.enough.notified(), if chunk.is_empty() => false,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        loop {
            if chunk.is_empty() {
                chunk = shared.take();
            }
            if chunk.is_empty() {
                break;
            }
            match store
                .create(
                    &Key::LogChunk {
                        run: run.clone(),
                        pod: pod.clone(),
                        chunk: number,
                    },
                    chunk.clone(),
                )
                .await
            {
                Ok(created) => {
                    number += 1;
                    if created == Created::New {
                        chunk = Bytes::new();
                    }
                }
                // Said nowhere: it would be one more line that cannot be shipped.
                Err(_) => break,
            }
        }
        if last {
            return;
        }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a LogWriter;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.echo {
            // Nobody is left to tell when standard error is closed.
            let _ = io::stderr().lock().write_all(line);
        }
        let mut waiting = self.shared.waiting();
        if waiting.lines.len() + line.len() > MAX_BUFFER {
            waiting.dropped += 1;
            return Ok(line.len());
        }
        waiting.lines.extend_from_slice(line);
        if waiting.lines.len() >= CHUNK {
            self.shared.enough.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use openreg_parts::store::{DirectoryStoreOptions, StoreOptions};

    use super::*;

    async fn store(path: &std::path::Path) -> Store {
        let options = StoreOptions::Directory(DirectoryStoreOptions {
            path: path.display().to_string(),
        });
        Store::open(&options, None, "").await.unwrap()
    }

    async fn chunk(store: &Store, chunk: u32) -> Option<String> {
        let key = Key::LogChunk {
            run: "r".into(),
            pod: "p".into(),
            chunk,
        };
        store
            .get(&key.to_string(), 2 << 20)
            .await
            .unwrap()
            .map(|b| String::from_utf8(b.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn lines_arrive_by_the_second_and_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path()).await;
        let (mut ship, writer) = LogShip::new(false);
        writer.make_writer().write_all(b"one\n").unwrap();
        ship.start(store.clone(), "r".into(), "p".into());
        tokio::time::sleep(INTERVAL + Duration::from_millis(500)).await;
        assert_eq!(
            chunk(&store, 0).await.as_deref(),
            Some("one\n"),
            "a killed pod's log is there up to the last second"
        );
        writer.make_writer().write_all(b"two\n").unwrap();
        ship.finish(Duration::from_secs(5)).await;
        assert_eq!(chunk(&store, 1).await.as_deref(), Some("two\n"));
        assert_eq!(chunk(&store, 2).await, None);
    }

    #[tokio::test]
    async fn many_lines_do_not_wait() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path()).await;
        let (mut ship, writer) = LogShip::new(false);
        ship.start(store.clone(), "r".into(), "p".into());
        tokio::time::sleep(Duration::from_millis(100)).await;
        writer.make_writer().write_all(&vec![b'x'; CHUNK]).unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(chunk(&store, 0).await.map(|c| c.len()), Some(CHUNK));
        ship.finish(Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn a_store_that_fails_costs_lines_not_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("store");
        std::fs::write(&blocked, "not a directory").unwrap();
        let store = store(&blocked).await;
        let (mut ship, writer) = LogShip::new(false);
        ship.start(store.clone(), "r".into(), "p".into());
        for _ in 0..(MAX_BUFFER / CHUNK) + 5 {
            writer.make_writer().write_all(&vec![b'x'; CHUNK]).unwrap();
        }
        assert!(writer.shared.waiting().lines.len() <= MAX_BUFFER);
        assert!(writer.shared.waiting().dropped >= 5);
        tokio::time::sleep(Duration::from_millis(200)).await;
        std::fs::remove_file(&blocked).unwrap();
        ship.finish(Duration::from_secs(5)).await;
        let mut all = String::new();
        let mut number = 0;
        while let Some(text) = chunk(&store, number).await {
            all.push_str(&text);
            number += 1;
        }
        assert!(all.contains("log lines were dropped"), "the gap is stated");
        assert!(all.len() >= MAX_BUFFER, "what was kept arrived once the store was back");
    }
}
