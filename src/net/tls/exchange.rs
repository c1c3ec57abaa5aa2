//! What rustls makes of records, call by call, until it wants more of them.

use rustls::Error;
#[cfg(feature = "load")]
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic,
};

/// One side of a session: rustls gives each a type of its own that can do the same.
pub(super) trait Side {
    type Data;

    fn process<'c, 'i>(&'c mut self, records: &'i mut [u8])
    -> UnbufferedStatus<'c, 'i, Self::Data>;

    fn has_something_to_say(&self) -> bool;
}

impl Side for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    #[inline]
    fn process<'c, 'i>(
        &'c mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }

    fn has_something_to_say(&self) -> bool {
        self.wants_write()
    }
}

#[cfg(feature = "load")]
impl Side for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    #[inline]
    fn process<'c, 'i>(
        &'c mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }

    fn has_something_to_say(&self) -> bool {
        self.wants_write()
    }
}

/// What comes out of records.
pub(super) struct Opened<'a> {
    /// Where plaintext is laid, and how much of it there is.
    pub into: &'a mut [u8],
    pub filled: &'a mut usize,
    /// Plaintext for which there was no room.
    pub spill: &'a mut Vec<u8>,
    /// How many records had plaintext in them.
    pub full: usize,
    /// What TLS itself has to say: handshake, tickets, alerts.
    pub words: &'a mut Vec<u8>,
    /// The peer has said that nothing follows.
    pub closed: bool,
}

/// Hands out plaintext of a spill. An empty one owns no memory.
pub(super) fn pour(spill: &mut Vec<u8>, into: &mut [u8]) -> usize {
    let count = spill.len().min(into.len());
    into[..count].copy_from_slice(&spill[..count]);
    spill.drain(..count);
    if spill.is_empty() {
        *spill = Vec::new();
    }
    count
}

impl Opened<'_> {
    fn take(&mut self, plain: &[u8]) {
        self.full += usize::from(!plain.is_empty());
        let room = if self.spill.is_empty() { self.into.len() - *self.filled } else { 0 };
        let (first, rest) = plain.split_at(plain.len().min(room));
        self.into[*self.filled..][..first.len()].copy_from_slice(first);
        *self.filled += first.len();
        self.spill.extend_from_slice(rest);
    }
}

/// Opens `records` as far as they are whole. Returns how many bytes of their front are done with;
/// the others have to stand in front of what comes next.
pub(super) fn open(
    session: &mut impl Side,
    records: &mut [u8],
    opened: &mut Opened<'_>,
) -> Result<usize, Error> {
    let mut done = 0;
    loop {
        let UnbufferedStatus { mut discard, state } = session.process(&mut records[done..]);
        match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    opened.take(record.payload);
                }
            }
            Ok(ConnectionState::PeerClosed) => opened.closed = true,
            Ok(state @ (ConnectionState::WriteTraffic(_) | ConnectionState::BlockedHandshake)) => {
                drop(state);
                return Ok(done + discard);
            }
            Ok(ConnectionState::Closed) => return Ok(done + discard),
            Ok(state) => speak(state, opened.words)?,
            Err(error) => {
                // The alert. Without one to send rustls would look at the records again, which it
                // does not survive.
                while session.has_something_to_say() {
                    if let Ok(state) = session.process(&mut []).state {
                        speak(state, opened.words)?;
                    }
                }
                return Err(error);
            }
        }
        done += discard;
    }
}

/// Seals `plain` to the front of `to`, whose room has been made sure of, behind `words` of TLS
/// that stand in `words` then. `rest` is what [`open`] has left. Returns how many bytes that are.
pub(super) fn seal(
    session: &mut impl Side,
    rest: &mut [u8],
    words: &mut Vec<u8>,
    plain: &[u8],
    to: &mut [u8],
) -> Result<usize, Error> {
    with_traffic(session, rest, words, |mut traffic| traffic.encrypt(plain, to))
}

/// Says that nothing follows (RFC 8446 §6.1), behind `words`.
pub(super) fn close(
    session: &mut impl Side,
    rest: &mut [u8],
    words: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut notice = [0; 1024];
    let length =
        with_traffic(session, rest, words, |mut traffic| traffic.queue_close_notify(&mut notice))?;
    words.extend_from_slice(&notice[..length]);
    Ok(())
}

fn with_traffic<P: Side>(
    session: &mut P,
    rest: &mut [u8],
    words: &mut Vec<u8>,
    mut write: impl FnMut(WriteTraffic<'_, P::Data>) -> Result<usize, EncryptError>,
) -> Result<usize, Error> {
    loop {
        match session.process(rest).state? {
            ConnectionState::WriteTraffic(traffic) => {
                return write(traffic).map_err(|_| Error::EncryptError);
            }
            // What was whole has been opened, and nothing else says anything.
            ConnectionState::ReadTraffic(_) | ConnectionState::BlockedHandshake => {
                return Err(Error::HandshakeNotComplete);
            }
            ConnectionState::PeerClosed => {}
            ConnectionState::Closed => return Err(Error::EncryptError),
            state => speak(state, words)?,
        }
    }
}

/// Puts what rustls has to say to `words`.
fn speak<Data>(state: ConnectionState<'_, '_, Data>, words: &mut Vec<u8>) -> Result<(), Error> {
    match state {
        ConnectionState::EncodeTlsData(mut data) => {
            let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) else {
                return Ok(());
            };
            let start = words.len();
            words.resize(start + size.required_size, 0);
            data.encode(&mut words[start..]).map(drop).map_err(|_| Error::EncryptError)
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(())
        }
        // Early data is not agreed to.
        _ => Err(Error::HandshakeNotComplete),
    }
}
