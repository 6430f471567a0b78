//! Signed notes: a text, an empty line, and signature lines (signed-note, "Format").

use crate::{
    caps::{NOTE_LEN_MAX, NOTE_SIGNATURES_MAX},
    keys::LogKey,
};
use signed_note::Signature;

/// One signature line, verified or not.
#[derive(Debug, Clone, PartialEq)]
pub struct NoteSignature(Signature);

impl NoteSignature {
    pub(crate) fn new(name: &str, id: u32, bytes: Vec<u8>) -> Result<Self, NoteError> {
        let line = Signature::new(name.to_owned(), id, bytes).map_err(|_| NoteError::Malformed)?;
        Ok(Self(line))
    }

    /// Reads one line, without its newline.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        // A name with a control character passes the library's check of a single line.
        if line.chars().any(|sign| sign < ' ') {
            return Err(NoteError::Malformed);
        }
        Signature::from_bytes(line.as_bytes()).map(Self).map_err(|_| NoteError::Malformed)
    }

    /// The name of the key that is said to have signed.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Its id.
    pub fn key_id(&self) -> u32 {
        self.0.id()
    }

    /// What follows the id: a signature, or a timestamp and a signature.
    pub fn bytes(&self) -> &[u8] {
        self.0.signature()
    }

    /// True when the line names this key: whoever knows the key must then verify the signature.
    pub fn names<const TYPE: u8>(&self, key: &crate::NoteKey<TYPE>) -> bool {
        self.name() == key.name() && self.key_id() == key.id()
    }

    /// The line with its newline.
    pub fn to_line(&self) -> String {
        String::from_utf8_lossy(&self.0.to_bytes()).into_owned()
    }
}

/// A text and its signature lines. That it is well-formed says nothing of who signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Puts a note together.
    ///
    /// # Errors
    /// [`NoteError`], without a signature too: a note has at least one.
    pub fn new(text: &str, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        let note = Self { text: text.to_owned(), signatures };
        // Read back, so that nothing is made that no reader accepts.
        Self::parse(&note.to_bytes())
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_LEN_MAX {
            return Err(NoteError::TooLong { got: bytes.len(), cap: NOTE_LEN_MAX });
        }
        signed_note::Note::from_bytes(bytes).map_err(|_| NoteError::Malformed)?;
        // The library keeps the signatures to itself, so the lines that it accepted are read again.
        let whole = core::str::from_utf8(bytes).map_err(|_| NoteError::Malformed)?;
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let got = lines.lines().count();
        if got > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures { got, cap: NOTE_SIGNATURES_MAX });
        }
        let signatures: Result<_, _> = lines.lines().map(NoteSignature::parse).collect();
        Ok(Self { text: format!("{text}\n"), signatures: signatures? })
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every signature line, in its order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The note as it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.text.clone();
        out.push('\n');
        out.extend(self.signatures.iter().map(NoteSignature::to_line));
        out.into_bytes()
    }

    /// Adds a line, in the place of an older one of the same name and id.
    ///
    /// # Errors
    /// [`NoteError::TooLong`] or [`NoteError::TooManySignatures`]; the note is then as before.
    pub fn put(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        let mut signatures = self.signatures.clone();
        let same = |old: &NoteSignature| {
            old.name() == signature.name() && old.key_id() == signature.key_id()
        };
        signatures.retain(|old| !same(old));
        signatures.push(signature);
        *self = Self::new(&self.text, signatures)?;
        Ok(())
    }

    /// Verifies the text under these keys.
    ///
    /// Lines of unknown keys are ignored. Each line that names a known key must verify, the second
    /// one of a key too.
    ///
    /// # Errors
    /// [`NoteError::FalseSignature`] or [`NoteError::NotSigned`].
    pub fn verify(&self, keys: &[LogKey]) -> Result<(), NoteError> {
        let mut signed = false;
        for line in &self.signatures {
            for key in keys.iter().filter(|key| line.names(key)) {
                if !key.verifies(self.text.as_bytes(), line.bytes()) {
                    return Err(NoteError::false_signature(line));
                }
                signed = true;
            }
        }
        let expected = || keys.iter().map(|key| key.name().to_owned()).collect();
        if signed { Ok(()) } else { Err(NoteError::NotSigned { expected: expected() }) }
    }
}

/// Why a note was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More bytes than a note may have.
    #[error("note of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// More signatures than a note may have.
    #[error("note with {got} signatures, at most {cap}")]
    TooManySignatures {
        /// Lines given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Not a note.
    #[error(
        "not a signed note: expected text, an empty line, and lines that begin with an em dash"
    )]
    Malformed,
    /// A line names a known key and does not verify; nothing of the note counts.
    #[error("false signature under {name}+{id:08x}; the whole note is refused")]
    FalseSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: u32,
    },
    /// No known key signed.
    #[error("not signed by any of: {}", expected.join(", "))]
    NotSigned {
        /// Names of the keys that were asked for.
        expected: Vec<String>,
    },
}

impl NoteError {
    pub(crate) fn false_signature(line: &NoteSignature) -> Self {
        Self::FalseSignature { name: line.name().to_owned(), id: line.key_id() }
    }
}
