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

/// A listener whose connections end after `idle` without a byte in either direction.
pub struct Lively<L> {
    inner: L,
    idle: Duration,
}

impl<L> Lively<L> {
    /// Around `inner`.
    pub fn new(inner: L, idle: Duration) -> Self {
        Self { inner, idle }
    }
}

impl<L: Listener> Listener for Lively<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (inner, address) = self.inner.accept().await;
        let idle = self.idle;
        let end = Box::pin(sleep(idle));
        (Connection { inner, idle, end }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A connection that ends when nothing moves on it.
pub struct Connection<S> {
    inner: S,
    idle: Duration,
    end: Pin<Box<Sleep>>,
}

impl<S> Connection<S> {
    /// What `moved` says, unless it waits and has waited for too long.
    fn judge<T>(&mut self, context: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.end.as_mut().reset(Instant::now() + self.idle);
            return moved;
        }
        ready!(self.end.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing moved on the connection")))
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
        self.judge(context, moved)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.judge(context, moved)
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

    fn pair(idle: Duration) -> (Connection<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (inner, client) = tokio::io::duplex(16);
        let end = Box::pin(sleep(idle));
        (Connection { inner, idle, end }, client)
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_more_is_let_go() {
        let (mut server, mut client) = pair(Duration::from_millis(100));
        client.write_all(b"GET / HT").await.unwrap();
        let mut read = [0; 8];
        server.read_exact(&mut read).await.unwrap();
        let end = tokio::time::timeout(Duration::from_secs(10), server.read_exact(&mut read)).await;
        assert_eq!(end.expect("an end").unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_let_go_and_a_slow_one_is_not() {
        let (mut server, mut client) = pair(Duration::from_millis(1000));
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
}
