//! One file of vectors: cases that hold, and bytes that are refused.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use strongroom_wire::CodecError;

/// A value as the files show it.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Bytes: lower-case hexadecimal digits.
    Hex(Vec<u8>),
    /// Text.
    Text(String),
    /// A number that every JSON reader keeps exact.
    Number(u64),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Hex(bytes) => serializer.serialize_str(&hex::encode(bytes)),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
        }
    }
}

/// Named values, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case(Vec<(&'static str, Value)>);

impl Serialize for Case {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Case {
    pub(crate) fn named(name: &str) -> Self {
        Self::default().text("name", name)
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.0.push((name, value));
        self
    }

    pub(crate) fn hex(self, name: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        self.with(name, Value::Hex(bytes.as_ref().to_vec()))
    }

    pub(crate) fn text(self, name: &'static str, text: impl Into<String>) -> Self {
        self.with(name, Value::Text(text.into()))
    }

    pub(crate) fn number(self, name: &'static str, number: impl Into<u64>) -> Self {
        let number = number.into();
        assert!(number < 1 << 53, "{name}: not exact in every JSON reader");
        self.with(name, Value::Number(number))
    }

    /// A number of 64 bits, in decimal digits.
    pub(crate) fn wide(self, name: &'static str, number: u64) -> Self {
        self.text(name, number.to_string())
    }
}

/// One file.
#[derive(Debug, Serialize)]
pub struct File {
    #[serde(skip)]
    name: &'static str,
    spec: &'static str,
    what: &'static str,
    cases: Vec<Case>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Case>,
}

impl File {
    pub(crate) fn new(name: &'static str, spec: &'static str, what: &'static str) -> Self {
        Self { name, spec, what, cases: Vec::new(), refused: Vec::new() }
    }

    pub(crate) fn case(mut self, case: Case) -> Self {
        self.cases.push(case);
        self
    }

    pub(crate) fn cases(mut self, cases: impl IntoIterator<Item = Case>) -> Self {
        self.cases.extend(cases);
        self
    }

    /// Bytes that a reader refuses, with the error that it gives.
    pub(crate) fn refused(
        mut self,
        name: &str,
        reader: &str,
        bytes: &[u8],
        error: impl Into<String>,
    ) -> Self {
        self.refused.push(
            Case::named(name).text("read_as", reader).hex("bytes", bytes).text("error", error),
        );
        self
    }

    /// Every other encoding of a CBOR array, and damage to it, with the error that `read` gives.
    pub(crate) fn attacked<T>(
        self,
        reader: &str,
        good: &[u8],
        read: impl Fn(&[u8]) -> Result<T, CodecError>,
    ) -> Self {
        assert!(read(good).is_ok(), "{reader}: the good encoding");
        attacks(good).into_iter().fold(self, |file, (name, bytes)| {
            let error = error_name(read(&bytes));
            file.refused(name, reader, &bytes, error)
        })
    }

    /// The file's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The file's content.
    ///
    /// # Panics
    /// Never: text, numbers and lists always serialise.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("text, numbers and lists serialise") + "\n"
    }
}

/// What the CBOR library alone would read as the same value, and what nobody can read.
fn attacks(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (head, rest) = good.split_first().expect("an encoding");
    assert_eq!(head & 0xe0, 0x80, "a short array");
    let count = head & 0x1f;
    vec![
        ("nothing", Vec::new()),
        ("cut short", good[..good.len() - 1].to_vec()),
        ("a trailing byte", [good, &[0]].concat()),
        ("the array's length in long form", [&[0x98, count], rest].concat()),
        ("an array of indefinite length", [&[0x9f], rest, &[0xff]].concat()),
        ("an element too many", [&[0x80 | (count + 1)], rest, &[0xf6]].concat()),
        ("another type", [&[0xf6], rest].concat()),
    ]
}

/// The variant's name.
pub(crate) fn error_name<T>(read: Result<T, CodecError>) -> &'static str {
    match read.err().expect("these bytes are refused") {
        CodecError::TooLong { .. } => "TooLong",
        CodecError::Malformed => "Malformed",
        CodecError::NotCanonical => "NotCanonical",
        CodecError::Version { .. } => "Version",
        CodecError::Length { .. } => "Length",
        CodecError::Padding => "Padding",
    }
}
