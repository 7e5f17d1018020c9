//! Connections that end when nothing moves on them: a client that sends half a request, or takes no byte of a download, would
//! else hold its connection, and what is read for it, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Longer than any answer's head may take (30 s) and than the pause between two signs of life of an event stream (15 s).
pub const IDLE: Duration = Duration::from_secs(75);
/// The same while a write waits. The system says that there is room again only when about a third of what it has buffered is
/// taken, which may be 1.4 MB: a client that takes 3 kB a second, which is slow but moves, needs 8 minutes for that.
pub const STUCK: Duration = Duration::from_secs(600);

/// A listener whose connections end after `idle` without a byte in either direction, or after `stuck` when a write waits.
pub struct Lively<L> {
    inner: L,
    idle: Duration,
    stuck: Duration,
}

impl<L> Lively<L> {
    /// Around `inner`.
    pub fn new(inner: L, idle: Duration, stuck: Duration) -> Self {
        Self { inner, idle, stuck }
    }
}

impl<L: Listener> Listener for Lively<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (inner, address) = self.inner.accept().await;
        (Connection::new(inner, self.idle, self.stuck), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A connection that ends when nothing moves on it.
pub struct Connection<S> {
    inner: S,
    idle: Duration,
    stuck: Duration,
    /// When something moved last.
    moved: Instant,
    /// Whether a write waits.
    writing: bool,
    end: Pin<Box<Sleep>>,
}

impl<S> Connection<S> {
    fn new(inner: S, idle: Duration, stuck: Duration) -> Self {
        Self {
            inner,
            idle,
            stuck,
            moved: Instant::now(),
            writing: false,
            end: Box::pin(sleep(idle)),
        }
    }

    /// Puts the end where it belongs. It counts for reads too: the server looks for the client's next word while it writes.
    fn set_end(&mut self) {
        let patience = if self.writing { self.stuck } else { self.idle };
        self.end.as_mut().reset(self.moved + patience);
    }

    /// What `moved` says, unless it waits and has waited for too long.
    fn judge<T>(&mut self, context: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.moved = Instant::now();
            self.set_end();
            return moved;
        }
        ready!(self.end.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing moved on the connection")))
    }

    /// The same of a write.
    fn judge_write(&mut self, context: &mut Context<'_>, moved: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if self.writing != moved.is_pending() {
            self.writing = moved.is_pending();
            self.set_end();
        }
        self.judge(context, moved)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.judge(context, moved)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judge_write(context, moved)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.judge_write(context, moved)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair(idle: Duration, stuck: Duration) -> (Connection<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (inner, client) = tokio::io::duplex(16);
        (Connection::new(inner, idle, stuck), client)
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_more_is_let_go() {
        let (mut server, mut client) = pair(Duration::from_millis(100), Duration::from_secs(60));
        client.write_all(b"GET / HT").await.unwrap();
        let mut read = [0; 8];
        server.read_exact(&mut read).await.unwrap();
        let end = tokio::time::timeout(Duration::from_secs(10), server.read_exact(&mut read)).await;
        assert_eq!(end.expect("an end").unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_let_go_and_a_slow_one_is_not() {
        let (mut server, mut client) = pair(Duration::from_millis(100), Duration::from_millis(1000));
        let (begun, slow) = (Instant::now(), Duration::from_millis(300));
        let reader = tokio::spawn(async move {
            let mut taken = [0; 16];
            for _ in 0..5 {
                sleep(slow).await;
                client.read_exact(&mut taken).await.unwrap();
            }
            sleep(Duration::from_secs(60)).await;
        });
        let (mut sent, mut error) = (0, None);
        while error.is_none() {
            match tokio::time::timeout(Duration::from_secs(10), server.write_all(&[0; 16])).await.expect("an end") {
                Ok(()) => sent += 1,
                Err(e) => error = Some(e.kind()),
            }
        }
        assert_eq!(error, Some(io::ErrorKind::TimedOut));
        // Five were taken, one more fits between the two.
        assert_eq!(sent, 6);
        assert!(
            begun.elapsed() >= 5 * slow + Duration::from_millis(1000),
            "it was slow for longer than it may be silent"
        );
        reader.abort();
    }

    #[tokio::test]
    async fn while_a_write_waits_reading_is_no_shorter_than_it() {
        let stuck = Duration::from_millis(800);
        let (server, _client) = pair(Duration::from_millis(100), stuck);
        let (mut reader, mut writer) = tokio::io::split(server);
        let (begun, mut read) = (Instant::now(), [0; 8]);
        let both = async { tokio::join!(writer.write_all(&[0; 64]), reader.read(&mut read)) };
        let (written, read) = tokio::time::timeout(Duration::from_secs(10), both).await.expect("an end");
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= stuck, "{:?}", begun.elapsed());
    }

    /// Over real sockets, whose buffers say that there is room only now and then.
    #[tokio::test]
    async fn a_download_that_is_slow_but_moves_is_not_cut() {
        const ALL: usize = 16 * 1024 * 1024;
        let idle = Duration::from_millis(150);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut lively = Lively::new(listener, idle, Duration::from_secs(30));
        let client = tokio::spawn(async move {
            let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
            let (begun, mut got, mut buffer) = (Instant::now(), 0, vec![0; 8 * 1024]);
            loop {
                // 400 kB a second: slower than the buffers are large, and never silent for as long as `idle`.
                if begun.elapsed() < Duration::from_secs(3) {
                    sleep(Duration::from_millis(20)).await;
                }
                match client.read(&mut buffer).await.unwrap() {
                    0 => return got,
                    n => got += n,
                }
            }
        });
        let (mut server, _) = lively.accept().await;
        let (block, mut longest) = (vec![7; 64 * 1024], Duration::ZERO);
        for _ in 0..ALL / block.len() {
            let begun = Instant::now();
            server.write_all(&block).await.unwrap();
            longest = longest.max(begun.elapsed());
        }
        server.shutdown().await.unwrap();
        drop(server);
        assert_eq!(client.await.unwrap(), ALL);
        assert!(longest > idle, "or the test shows nothing: {longest:?}");
    }
}
