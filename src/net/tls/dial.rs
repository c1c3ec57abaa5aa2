//! TLS for clients that never block: a [`Dial`] upon another, whose streams speak it.
//!
//! The counterpart of [`TlsNet`](super::TlsNet), and as there a session at rest owns no buffer: all
//! open and seal at one desk.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;

use super::client::{self, Trust};
use super::desk::{OUTGOING_BYTES, REST_BYTES_MAX};
use super::dialed::Dialed;
use super::stream::TlsStream;
use crate::limits::TLS_READ_BYTES_MAX;
use crate::net::Event;
use crate::net::dial::{Dial, Place};

/// A way to connect, with TLS or without.
pub struct TlsDial<D> {
    dial: D,
    desk: Option<Shared>,
}

/// What the sessions of a loop share.
pub(super) struct Desk {
    pub config: Arc<ClientConfig>,
    pub name: ServerName<'static>,
    /// Bytes as they came: what was left of earlier reads, and then a read.
    pub incoming: Box<[u8]>,
    /// Bytes as they go.
    pub outgoing: Box<[u8]>,
}

pub(super) type Shared = Rc<RefCell<Desk>>;

impl<D: Dial> TlsDial<D> {
    /// Without TLS.
    pub fn plain(dial: D) -> Self {
        Self { dial, desk: None }
    }

    /// With TLS, and servers that have to be `host`. Each connection is a client that comes for the
    /// first time: no session is resumed.
    ///
    /// # Errors
    ///
    /// One line: a host that no certificate can name, or a file of certificates that is of no use.
    pub fn secured(dial: D, host: &str, trust: &Trust) -> Result<Self, String> {
        let mut config = client::config(trust)?;
        config.resumption = Resumption::disabled();
        let buffer = |length| vec![0; length].into_boxed_slice();
        let desk = Desk {
            config: Arc::new(config),
            name: client::name(host)?,
            incoming: buffer(REST_BYTES_MAX + TLS_READ_BYTES_MAX),
            outgoing: buffer(OUTGOING_BYTES),
        };
        Ok(Self { dial, desk: Some(Rc::new(RefCell::new(desk))) })
    }
}

impl<D: Dial> Dial for TlsDial<D> {
    type Stream = TlsStream<D::Stream, Dialed<D::Stream>>;

    fn wait(&mut self, until: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.dial.wait(until, events)
    }

    fn now(&self) -> Duration {
        self.dial.now()
    }

    fn utc(&self) -> Duration {
        self.dial.utc()
    }

    fn connect(
        &mut self,
        to: &Place,
        source: Option<IpAddr>,
        token: usize,
    ) -> io::Result<Self::Stream> {
        let stream = self.dial.connect(to, source, token)?;
        Ok(match &self.desk {
            None => TlsStream::Plain(stream),
            Some(desk) => TlsStream::Secure(Box::new(Dialed::new(stream, Rc::clone(desk))?)),
        })
    }
}
