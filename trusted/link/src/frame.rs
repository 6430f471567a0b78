//! The three kinds of frame. Every field has a fixed place and size; only data varies in length.
//!
//! ```text
//! hello   1 ‖ noise message 1 (32 + 8 replica + 1184 encapsulation key + 16)
//! answer  2 ‖ hello id (8) ‖ ML-KEM ciphertext (1088) ‖ noise message 2 (32 + 8 replica + 16)
//! data    3 ‖ session id (8) ‖ period (8) ‖ counter (8) ‖ sealed part (41 + up to 65,453 + 16)
//! ```

/// The most bytes of one frame.
pub const MAX_FRAME: usize = 65_535;

pub(crate) const TAG: usize = 16;
pub(crate) const ID: usize = 8;
pub(crate) const ENCAPSULATION_KEY: usize = 1184;
pub(crate) const CIPHERTEXT: usize = 1088;
pub(crate) const NOISE_1: usize = 32 + 8 + ENCAPSULATION_KEY + TAG;
pub(crate) const NOISE_2: usize = 32 + 8 + TAG;
pub(crate) const DATA_HEADER: usize = 1 + ID + 8 + 8;

const HELLO: u8 = 1;
const ANSWER: u8 = 2;
const DATA: u8 = 3;

/// A frame whose lengths are right, and of which nothing else is known.
pub(crate) enum Frame<'a> {
    Hello(&'a [u8; NOISE_1]),
    Answer { hello: [u8; ID], ciphertext: &'a [u8; CIPHERTEXT], noise: &'a [u8; NOISE_2] },
    Data(Data<'a>),
}

/// A frame of a session.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a> {
    pub(crate) session: [u8; ID],
    /// How often its sender had replaced its key.
    pub(crate) period: u64,
    pub(crate) counter: u64,
    pub(crate) sealed: &'a [u8],
}

impl<'a> Frame<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Frame<'a>> {
        if bytes.len() > MAX_FRAME {
            return None;
        }
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            HELLO => Some(Frame::Hello(rest.try_into().ok()?)),
            ANSWER => {
                let (hello, rest) = rest.split_first_chunk::<ID>()?;
                let (ciphertext, rest) = rest.split_first_chunk::<CIPHERTEXT>()?;
                Some(Frame::Answer { hello: *hello, ciphertext, noise: rest.try_into().ok()? })
            }
            DATA => {
                let (session, rest) = rest.split_first_chunk::<ID>()?;
                let (period, rest) = rest.split_first_chunk::<8>()?;
                let (counter, sealed) = rest.split_first_chunk::<8>()?;
                let (period, counter) = (u64::from_be_bytes(*period), u64::from_be_bytes(*counter));
                Some(Frame::Data(Data { session: *session, period, counter, sealed }))
            }
            _ => None,
        }
    }
}

pub(crate) fn hello(noise: &[u8]) -> Vec<u8> {
    [&[HELLO], noise].concat()
}

pub(crate) fn answer(hello: [u8; ID], ciphertext: &[u8], noise: &[u8]) -> Vec<u8> {
    [&[ANSWER][..], &hello, ciphertext, noise].concat()
}

/// The header of a data frame, with room for what follows.
pub(crate) fn data(session: [u8; ID], period: u64, counter: u64, sealed: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(DATA_HEADER.saturating_add(sealed));
    frame.push(DATA);
    frame.extend_from_slice(&session);
    frame.extend_from_slice(&period.to_be_bytes());
    frame.extend_from_slice(&counter.to_be_bytes());
    frame
}
