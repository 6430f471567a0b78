//! The format of key files: a header, then one `name value` per line, in one order, in one spelling.
//!
//! A person can read which file it is and compare a public half; a reader refuses everything that
//! the writer would not have written.

use crate::failure::Failure;
use std::{fmt::Write as _, path::Path};
use zeroize::{Zeroize, Zeroizing};

/// Writes a key file.
pub struct Writer(Zeroizing<String>);

impl Writer {
    /// Starts with the header line.
    pub fn new(header: &str) -> Self {
        // Reserved in full, so that growing never leaves a copy of a secret behind.
        let mut text = Zeroizing::new(String::with_capacity(16 * 1_024));
        let _ = writeln!(text, "{header}");
        Self(text)
    }

    /// Adds a line.
    #[must_use]
    pub fn word(mut self, name: &str, value: &str) -> Self {
        let _ = writeln!(self.0, "{name} {value}");
        self
    }

    /// Adds a line of bytes.
    #[must_use]
    pub fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        let digits = Zeroizing::new(hex::encode(bytes));
        self.word(name, &digits)
    }

    /// The file.
    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.as_bytes().to_vec())
    }
}

/// Reads a key file, line by line.
pub struct Reader<'a> {
    path: &'a Path,
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Checks the header line.
    ///
    /// # Errors
    /// [`Failure::Refused`] with file, line and what was expected.
    pub fn new(path: &'a Path, bytes: &'a [u8], header: &str) -> Result<Self, Failure> {
        let rest = std::str::from_utf8(bytes).unwrap_or("");
        let mut reader = Self { path, rest, line: 0 };
        match reader.next_line() {
            Some(line) if line == header => Ok(reader),
            _ => Err(reader.expected(header)),
        }
    }

    fn next_line(&mut self) -> Option<&'a str> {
        self.line += 1;
        let (line, rest) = self.rest.split_once('\n')?;
        self.rest = rest;
        Some(line)
    }

    /// A refusal that names the line, what belongs there, and nothing of what stands there.
    fn expected(&self, what: &str) -> Failure {
        Failure::Refused(format!("{} line {}: expected `{what}`", self.path.display(), self.line))
    }

    /// The value of the next line, which must have this name.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub fn word(&mut self, name: &str) -> Result<&'a str, Failure> {
        let line = self.next_line().unwrap_or("");
        line.strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(|| self.expected(&format!("{name} …")))
    }

    /// A decimal number in its shortest spelling.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub fn number<T: std::str::FromStr + ToString>(&mut self, name: &str) -> Result<T, Failure> {
        let value = self.word(name)?;
        let number = value.parse::<T>().ok();
        number
            .filter(|n| n.to_string() == value)
            .ok_or_else(|| self.expected(&format!("{name} <number>")))
    }

    /// Exactly `N` bytes as lower-case digits.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub fn bytes<const N: usize>(&mut self, name: &str) -> Result<Zeroizing<[u8; N]>, Failure> {
        let value = self.word(name)?;
        let digits = 2 * N;
        let mut bytes = Zeroizing::new([0; N]);
        let lower = value.bytes().all(|b| !b.is_ascii_uppercase());
        if !lower || hex::decode_to_slice(value, bytes.as_mut_slice()).is_err() {
            bytes.zeroize();
            return Err(self.expected(&format!("{name} <{digits} hexadecimal digits>")));
        }
        Ok(bytes)
    }

    /// Whether another line follows.
    pub const fn has_more(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub fn finish(mut self) -> Result<(), Failure> {
        self.line += 1;
        if self.has_more() { Err(self.expected("the end of the file")) } else { Ok(()) }
    }
}
