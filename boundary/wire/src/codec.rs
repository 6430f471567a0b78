//! Deterministic CBOR (RFC 8949 §4.2.1), in one encoding only (spec §2).

use alloc::vec::Vec;
use core::fmt;
use minicbor::{Decode, Decoder, Encode, Encoder, decode as cbor, encode as enc};

/// Why bytes were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecError {
    /// More bytes than the cap of this type.
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Not a value of this type.
    Malformed,
    /// A value of this type in an encoding that is not the canonical one.
    NotCanonical,
    /// A version that this code does not speak.
    Version {
        /// The version found.
        got: u8,
    },
    /// A fixed-size message of another size.
    Length {
        /// Bytes given.
        got: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// Padding that is not zero.
    Padding,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { got, cap } => write!(f, "{got} bytes, at most {cap} expected"),
            Self::Malformed => write!(f, "not a message of the expected type"),
            Self::NotCanonical => write!(f, "not in the canonical encoding"),
            Self::Version { got } => {
                write!(f, "wire version {got}, expected {}", crate::caps::WIRE_VERSION)
            }
            Self::Length { got, expected } => write!(f, "{got} bytes, expected {expected}"),
            Self::Padding => write!(f, "padding is not zero"),
        }
    }
}

impl core::error::Error for CodecError {}

/// What an encoding or a statement has room for before its buffer grows.
pub(crate) const ROOM: usize = 1_024;

/// The one encoding of a value.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    // Room for all that has one padded size: how often a buffer grew would show in its time (INV-3).
    let mut out = Vec::with_capacity(ROOM);
    // Writing to a `Vec` has no error; an empty result would not decode.
    let _ = minicbor::encode(value, &mut out);
    out
}

/// Decodes a value and refuses every encoding of it but the canonical one.
///
/// The CBOR library accepts long-form lengths, indefinite arrays, extra elements, trailing bytes
/// and duplicate keys, so the value is encoded again and compared.
///
/// # Errors
/// [`CodecError::TooLong`], [`CodecError::Malformed`] or [`CodecError::NotCanonical`].
pub fn decode<T>(bytes: &[u8], cap: usize) -> Result<T, CodecError>
where
    T: Encode<()> + for<'b> Decode<'b, ()>,
{
    if bytes.len() > cap {
        return Err(CodecError::TooLong { got: bytes.len(), cap });
    }
    let value: T = minicbor::decode(bytes).map_err(|_| CodecError::Malformed)?;
    if encode(&value) != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

/// `len (u16 BE) ‖ content ‖ zeros`, in exactly `size` bytes.
///
/// # Errors
/// [`CodecError::TooLong`] if the content does not fit.
pub fn pad(content: &[u8], size: usize) -> Result<Vec<u8>, CodecError> {
    let cap = size.saturating_sub(2);
    let too_long = CodecError::TooLong { got: content.len(), cap };
    let len = u16::try_from(content.len()).map_err(|_| too_long)?;
    if content.len() > cap {
        return Err(too_long);
    }
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(content);
    out.resize(size, 0);
    Ok(out)
}

/// The content of a [`pad`]ded message of exactly `size` bytes.
///
/// # Errors
/// [`CodecError::Length`], [`CodecError::Malformed`] or [`CodecError::Padding`].
pub fn unpad(padded: &[u8], size: usize) -> Result<&[u8], CodecError> {
    if padded.len() != size {
        return Err(CodecError::Length { got: padded.len(), expected: size });
    }
    let (head, rest) = padded.split_at_checked(2).ok_or(CodecError::Malformed)?;
    let len = head.iter().fold(0_usize, |n, b| (n << 8) | usize::from(*b));
    let (content, zeros) = rest.split_at_checked(len).ok_or(CodecError::Malformed)?;
    if zeros.iter().any(|b| *b != 0) {
        return Err(CodecError::Padding);
    }
    Ok(content)
}

/// The step of the smallest messages that are padded in steps.
const STEP_MIN: usize = 64 * 1_024;

/// The size that `len` bytes are padded to: Padmé (Nikitin et al., PETS 2019, §4.1), in steps of at
/// least 64 KiB. It keeps of the length what a floating-point number with a mantissa as long as its
/// exponent would, and costs less than 12 % above a megabyte.
fn step_size(len: usize) -> usize {
    let exponent = len.max(2).ilog2();
    let mantissa = exponent.ilog2().saturating_add(1);
    let step = 1_usize.checked_shl(exponent.saturating_sub(mantissa)).unwrap_or(STEP_MIN);
    len.next_multiple_of(step.max(STEP_MIN))
}

/// `len (u32 BE) ‖ content ‖ zeros`, for what has no fixed size: many contents have one size.
///
/// # Errors
/// [`CodecError::TooLong`] if the length does not fit.
pub fn pad_in_steps(content: &[u8]) -> Result<Vec<u8>, CodecError> {
    let cap = u32::MAX as usize;
    let too_long = CodecError::TooLong { got: content.len(), cap };
    let len = u32::try_from(content.len()).map_err(|_| too_long)?;
    let size = step_size(content.len().saturating_add(4));
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(content);
    out.resize(size, 0);
    Ok(out)
}

/// The content of a message that was [padded in steps](pad_in_steps).
///
/// # Errors
/// [`CodecError::Length`], [`CodecError::Malformed`] or [`CodecError::Padding`].
pub fn unpad_in_steps(padded: &[u8]) -> Result<&[u8], CodecError> {
    let (head, rest) = padded.split_first_chunk::<4>().ok_or(CodecError::Malformed)?;
    let len = u32::from_be_bytes(*head) as usize;
    let (content, zeros) = rest.split_at_checked(len).ok_or(CodecError::Malformed)?;
    let expected = step_size(len.saturating_add(4));
    if padded.len() != expected {
        return Err(CodecError::Length { got: padded.len(), expected });
    }
    if zeros.iter().any(|b| *b != 0) {
        return Err(CodecError::Padding);
    }
    Ok(content)
}

/// Exactly `N` bytes, encoded as one CBOR byte string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fixed<const N: usize>(pub [u8; N]);

impl<const N: usize> Default for Fixed<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Fixed<N> {
    /// Takes exactly `N` bytes.
    ///
    /// # Errors
    /// [`CodecError::Length`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, CodecError> {
        <[u8; N]>::try_from(bytes)
            .map(Self)
            .map_err(|_| CodecError::Length { got: bytes.len(), expected: N })
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Fixed<N> {
    /// Length and a short prefix: enough to tell two apart, too little to hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes ")?;
        self.0.iter().take(3).try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl<const N: usize> From<[u8; N]> for Fixed<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<C, const N: usize> Encode<C> for Fixed<N> {
    fn encode<W: enc::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), enc::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C, const N: usize> Decode<'b, C> for Fixed<N> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, cbor::Error> {
        let bytes = d.bytes()?;
        Self::from_slice(bytes).map_err(|_| cbor::Error::message("byte string of another length"))
    }
}

/// A byte string of any length up to its message's cap.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<C> Encode<C> for Blob {
    fn encode<W: enc::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), enc::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Blob {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, cbor::Error> {
        Ok(Self(d.bytes()?.to_vec()))
    }
}
