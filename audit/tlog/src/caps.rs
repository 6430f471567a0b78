//! What is refused for its size before it is read (spec §21.1).

/// A signed note, in bytes.
pub const NOTE_LEN_MAX: usize = 65_536;
/// Signature lines under one note.
pub const NOTE_SIGNATURES_MAX: usize = 64;
/// A tlog-proof file, in bytes.
pub const PROOF_LEN_MAX: usize = 69_632;
/// Hashes in an inclusion or consistency proof: enough for 2^63 leaves.
pub const PROOF_HASHES_MAX: usize = 63;
/// The body of an add-checkpoint request, in bytes.
pub const REQUEST_LEN_MAX: usize = 69_632;
/// One entry of a log, in bytes: what its 16-bit length can say.
pub const ENTRY_LEN_MAX: usize = 65_535;
/// A policy file, in bytes.
pub const POLICY_LEN_MAX: usize = 65_536;
/// Logs in one policy.
pub const POLICY_LOGS_MAX: usize = 32;
/// Witnesses in one policy.
pub const POLICY_WITNESSES_MAX: usize = 64;
/// Groups in one policy.
pub const POLICY_GROUPS_MAX: usize = 64;
