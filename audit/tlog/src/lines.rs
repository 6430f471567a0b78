//! Numbers and bytes as text, each in one form only: what is read prints to the same text.

use crate::hash::Hash;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// ASCII decimal without a sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    // The parser takes "+7" and "007"; printing tells them from "7".
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// Standard base64 with its padding, and no bits that decode to nothing.
pub(crate) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The lines in front of a note, where proofs and requests say what they are about.
pub(crate) struct Lines<'a> {
    rest: &'a str,
    /// The line last read, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, LinesError> {
        let rest = core::str::from_utf8(bytes)
            .map_err(|_| LinesError { line: 1, expected: "text in UTF-8" })?;
        Ok(Self { rest, number: 0 })
    }

    /// The next line, without the newline that ends it.
    pub(crate) fn next_line(&mut self) -> Result<&'a str, LinesError> {
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.expected("a newline"))?;
        self.rest = rest;
        Ok(line)
    }

    /// Hashes, one a line, and the empty line behind them.
    pub(crate) fn hashes(&mut self, cap: usize) -> Result<Vec<Hash>, LinesError> {
        let mut hashes = Vec::new();
        loop {
            let line = self.next_line()?;
            if line.is_empty() {
                return Ok(hashes);
            }
            if hashes.len() == cap {
                return Err(self.expected("an empty line behind the last hash that is allowed"));
            }
            let hash = Hash::from_base64(line);
            hashes.push(hash.ok_or_else(|| self.expected("the base64 of a hash, or nothing"))?);
        }
    }

    /// All that was not read yet.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest.as_bytes()
    }

    pub(crate) const fn expected(&self, what: &'static str) -> LinesError {
        LinesError { line: self.number, expected: what }
    }
}

/// A line that is not what the format demands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}")]
pub struct LinesError {
    /// The line, from 1.
    pub line: usize,
    /// What should stand there.
    pub expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        let bad =
            ["", "+1", "-1", "01", "00", " 1", "1 ", "1\n", "0x1", "18446744073709551616", "١"];
        for bad in bad {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn bytes_have_one_form() {
        assert_eq!(base64_bytes("AA=="), Some(vec![0]));
        for bad in ["AA", "AA=", "AB==", "AA==\n", "AA== ", "-_==", "AA==AA=="] {
            assert_eq!(base64_bytes(bad), None, "{bad:?}");
        }
    }
}
