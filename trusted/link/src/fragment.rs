//! Messages cut into parts that fit a frame, and put together again.
//!
//! ```text
//! part  acknowledged (8) ‖ its tag (16) ‖ what (1) ‖ message (8) ‖ total (4) ‖ offset (4) ‖ bytes
//! ```
//!
//! Frames arrive in order or not at all, so one message is under way at a time; a gap costs that
//! message and no other.

use zeroize::Zeroizing;

use crate::frame::{DATA_HEADER, MAX_FRAME, TAG};

/// The most bytes of one message.
pub const MAX_MESSAGE: usize = 64 << 20;

pub(crate) const PART_HEADER: usize = 8 + TAG + 1 + 8 + 4 + 4;
pub(crate) const MAX_PART: usize = MAX_FRAME - DATA_HEADER - TAG - PART_HEADER;

const NOTHING: u8 = 0;
const FRAGMENT: u8 = 1;

/// The plaintext of a data frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    /// The highest counter that the sender has from the receiver.
    pub(crate) acknowledged: u64,
    /// The tag of that frame: which of all frames with this counter it was.
    pub(crate) acknowledged_tag: [u8; TAG],
    pub(crate) body: Option<Fragment<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    pub(crate) message: u64,
    pub(crate) total: u32,
    pub(crate) offset: u32,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Part<'a> {
    pub(crate) fn parse(plain: &'a [u8]) -> Option<Part<'a>> {
        let (acknowledged, rest) = plain.split_first_chunk::<8>()?;
        let (acknowledged_tag, rest) = rest.split_first_chunk::<TAG>()?;
        let acknowledged_tag = *acknowledged_tag;
        let (what, rest) = rest.split_first()?;
        let (message, rest) = rest.split_first_chunk::<8>()?;
        let (total, rest) = rest.split_first_chunk::<4>()?;
        let (offset, bytes) = rest.split_first_chunk::<4>()?;
        let acknowledged = u64::from_be_bytes(*acknowledged);
        let fragment = Fragment {
            message: u64::from_be_bytes(*message),
            total: u32::from_be_bytes(*total),
            offset: u32::from_be_bytes(*offset),
            bytes,
        };
        match *what {
            NOTHING if fragment == Fragment::EMPTY => {
                Some(Part { acknowledged, acknowledged_tag, body: None })
            }
            FRAGMENT if bytes.len() <= MAX_PART => {
                Some(Part { acknowledged, acknowledged_tag, body: Some(fragment) })
            }
            _ => None,
        }
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (what, fragment) = match &self.body {
            None => (NOTHING, &Fragment::EMPTY),
            Some(fragment) => (FRAGMENT, fragment),
        };
        let room = PART_HEADER.saturating_add(fragment.bytes.len());
        let mut plain = Zeroizing::new(Vec::with_capacity(room));
        plain.extend_from_slice(&self.acknowledged.to_be_bytes());
        plain.extend_from_slice(&self.acknowledged_tag);
        plain.push(what);
        plain.extend_from_slice(&fragment.message.to_be_bytes());
        plain.extend_from_slice(&fragment.total.to_be_bytes());
        plain.extend_from_slice(&fragment.offset.to_be_bytes());
        plain.extend_from_slice(fragment.bytes);
        plain
    }
}

impl Fragment<'static> {
    const EMPTY: Fragment<'static> = Fragment { message: 0, total: 0, offset: 0, bytes: &[] };
}

/// Cuts a message; `None` when it is above [`MAX_MESSAGE`]. An empty message is one empty fragment.
pub(crate) fn cut(number: u64, message: &[u8]) -> Option<impl Iterator<Item = Fragment<'_>>> {
    let total = u32::try_from(message.len()).ok().filter(|_| message.len() <= MAX_MESSAGE)?;
    let first =
        message.is_empty().then_some(Fragment { message: number, total: 0, offset: 0, bytes: &[] });
    let rest = message.chunks(MAX_PART).scan(0_u32, move |offset, bytes| {
        let fragment = Fragment { message: number, total, offset: *offset, bytes };
        *offset = offset.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        Some(fragment)
    });
    Some(first.into_iter().chain(rest))
}

/// The message that is under way.
#[derive(Default)]
pub(crate) struct Reassembly {
    under_way: Option<(u64, u32)>,
    bytes: Zeroizing<Vec<u8>>,
}

impl Reassembly {
    /// Takes the next fragment; gives the message when it is whole. Memory grows with what has
    /// arrived, never with what was announced.
    pub(crate) fn take(&mut self, fragment: &Fragment<'_>) -> Option<Vec<u8>> {
        let total = usize::try_from(fragment.total).ok().filter(|t| *t <= MAX_MESSAGE);
        let named = (fragment.message, fragment.total);
        if fragment.offset == 0 {
            self.bytes = Zeroizing::default();
            self.under_way = Some(named);
        }
        let here = usize::try_from(fragment.offset).ok();
        let fits = |total: usize| self.bytes.len().saturating_add(fragment.bytes.len()) <= total;
        let expected = self.under_way == Some(named) && here == Some(self.bytes.len());
        if !expected || !total.is_some_and(fits) {
            *self = Reassembly::default();
            return None;
        }
        self.bytes.extend_from_slice(fragment.bytes);
        if Some(self.bytes.len()) != total {
            return None;
        }
        self.under_way = None;
        Some(core::mem::take(&mut *self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_another_kind_or_with_more_than_its_kind_has_is_refused() {
        let fragment = Fragment { message: 1, total: 1, offset: 0, bytes: &[9] };
        let part = |body| Part { acknowledged: 3, acknowledged_tag: [4; TAG], body };
        let (some, none) = (part(Some(fragment)), part(None));
        assert_eq!(Part::parse(&some.encode()).as_ref(), Some(&some));
        assert_eq!(Part::parse(&none.encode()).as_ref(), Some(&none));
        let mut strange = some.encode().to_vec();
        strange[8 + TAG] = 2;
        assert_eq!(Part::parse(&strange), None);
        let mut nothing = some.encode().to_vec();
        nothing[8 + TAG] = NOTHING;
        assert_eq!(Part::parse(&nothing), None, "nothing carries nothing");
        let long = [some.encode().to_vec(), vec![0; MAX_PART]].concat();
        assert_eq!(Part::parse(&long), None, "more than a frame holds");
    }
}
