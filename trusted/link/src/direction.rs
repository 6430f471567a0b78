//! One direction of a session: a key that only goes forward.

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, Tag};
use zeroize::Zeroizing;

use crate::frame::TAG;

/// How far a frame may be ahead. The sender rekeys a few times a day, and each step costs one short
/// encryption: a forged frame costs this process less than a millisecond.
const MAX_AHEAD: u64 = 1_024;

/// The key of one direction, and how often it was replaced.
pub(crate) struct Direction {
    key: Zeroizing<[u8; 32]>,
    period: u64,
}

impl Direction {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Direction {
        Direction { key, period: 0 }
    }

    pub(crate) fn period(&self) -> u64 {
        self.period
    }

    /// Replaces the key: frames that were sealed before open with nothing that is left here. `None` if the
    /// cipher refused, which it does for texts of gigabytes alone.
    pub(crate) fn rekey(&mut self) -> Option<()> {
        self.key = after(&self.key)?;
        self.period = self.period.checked_add(1)?;
        Some(())
    }

    /// Seals in place.
    pub(crate) fn seal(&self, counter: u64, text: &mut [u8]) -> Option<[u8; TAG]> {
        let cipher = ChaCha20Poly1305::new((&*self.key).into());
        cipher.encrypt_in_place_detached(&nonce(counter), &[], text).ok().map(Into::into)
    }

    /// Opens a frame of this period or a later one. Only a frame that opens moves the key: a host that
    /// names a period of its own must not be able to part the two ends.
    pub(crate) fn open(
        &mut self,
        period: u64,
        counter: u64,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let ahead = period.checked_sub(self.period).filter(|ahead| *ahead <= MAX_AHEAD)?;
        let mut key = self.key.clone();
        for _ in 0..ahead {
            key = after(&key)?;
        }
        let (text, tag) = sealed.split_last_chunk::<TAG>()?;
        let mut text = Zeroizing::new(text.to_vec());
        let cipher = ChaCha20Poly1305::new((&*key).into());
        let tag = Tag::from_slice(tag);
        cipher.decrypt_in_place_detached(&nonce(counter), &[], &mut text, tag).ok()?;
        (self.key, self.period) = (key, period);
        Some(text)
    }
}

/// Noise §4.2, `REKEY(k)`: the first 32 bytes of 32 zeros, sealed under the nonce that no frame uses.
fn after(key: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    let mut next = Zeroizing::new([0; 32]);
    let cipher = ChaCha20Poly1305::new(key.into());
    cipher.encrypt_in_place_detached(&nonce(u64::MAX), &[], next.as_mut_slice()).ok()?;
    Some(next)
}

/// Noise §12.3: four zeros, then the counter, little-endian.
fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    let (_, low) = bytes.split_at_mut(4);
    low.copy_from_slice(&counter.to_le_bytes());
    bytes.into()
}

#[cfg(test)]
impl Direction {
    pub(crate) fn danger_at(key: Zeroizing<[u8; 32]>, period: u64) -> Direction {
        Direction { key, period }
    }

    pub(crate) fn key_now(&self) -> (u64, Zeroizing<[u8; 32]>) {
        (self.period, self.key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Direction, Direction) {
        let key = || Direction::new(Zeroizing::new([7; 32]));
        (key(), key())
    }

    fn sealed(by: &Direction, counter: u64, text: &[u8]) -> Vec<u8> {
        let mut frame = text.to_vec();
        let tag = by.seal(counter, &mut frame).unwrap();
        frame.extend_from_slice(&tag);
        frame
    }

    #[test]
    fn the_other_end_follows_and_nothing_older_opens() {
        let (mut ours, mut theirs) = pair();
        let before = sealed(&ours, 1, b"before");
        ours.rekey().unwrap();
        ours.rekey().unwrap();
        let after = sealed(&ours, 2, b"after");
        assert_eq!(theirs.open(2, 2, &after).unwrap().as_slice(), b"after");
        assert_eq!(*theirs.key, *ours.key);
        for period in 0..5 {
            assert!(theirs.open(period, 1, &before).is_none(), "period {period}");
        }
    }

    #[test]
    fn a_period_that_a_host_made_up_moves_no_key() {
        let (ours, mut theirs) = pair();
        let frame = sealed(&ours, 1, b"text");
        for period in [1, MAX_AHEAD, MAX_AHEAD + 1, u64::MAX] {
            assert!(theirs.open(period, 1, &frame).is_none());
        }
        assert_eq!(theirs.open(0, 1, &frame).unwrap().as_slice(), b"text");
    }

    #[test]
    fn the_cipher_and_the_next_key_are_those_of_the_noise_library() {
        use snow::params::CipherChoice;
        use snow::resolvers::{CryptoResolver, DefaultResolver};
        let mut library = DefaultResolver.resolve_cipher(&CipherChoice::ChaChaPoly).unwrap();
        library.set(&[7; 32]);
        let (mut ours, _) = pair();
        for counter in [1, 1 << 40] {
            let mut expected = [0; 20];
            library.encrypt(counter, &[], b"text", &mut expected);
            assert_eq!(sealed(&ours, counter, b"text"), expected);
            library.rekey();
            ours.rekey().unwrap();
        }
    }
}
