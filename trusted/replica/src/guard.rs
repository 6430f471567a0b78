//! Checks that come before the library sees a message.
/// Why a message was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drop {
    /// Does not decode, or not canonically.
    Malformed,
}
