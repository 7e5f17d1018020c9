//! The connection to the receiver: made when it is first needed, so that a file with a receipt needs none, and made anew
//! after it broke. It decides nothing about when.

use futures::future::BoxFuture;
use openreg_parts::transport::{Transport, TransportError};

/// How a connection is made.
pub(super) type Connect<'a> = dyn Fn() -> BoxFuture<'a, Result<Box<dyn Transport>, TransportError>> + Send + Sync + 'a;

pub(super) struct Link<'a> {
    connect: &'a Connect<'a>,
    transport: Option<Box<dyn Transport>>,
}

impl<'a> Link<'a> {
    pub(super) fn new(connect: &'a Connect<'a>) -> Self {
        Self { connect, transport: None }
    }

    /// The receiver, logged in.
    pub(super) async fn transport(&mut self) -> Result<&dyn Transport, TransportError> {
        if self.transport.is_none() {
            self.transport = Some((self.connect)().await?);
        }
        match &self.transport {
            Some(transport) => Ok(transport.as_ref()),
            None => Err(TransportError::new("connect", openreg_parts::transport::Fault::ConnectionLost, None)),
        }
    }

    /// The receiver, if there is a connection.
    pub(super) fn connected(&self) -> Option<&dyn Transport> {
        self.transport.as_deref()
    }

    /// Forgets a connection that broke.
    pub(super) fn drop_connection(&mut self) {
        self.transport = None;
    }

    pub(super) async fn close(self) {
        if let Some(transport) = self.transport {
            transport.close().await;
        }
    }
}
