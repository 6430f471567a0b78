//! The size of everything (spec §2). A decoder refuses before it allocates.

/// Version of every encoding in this crate.
pub const WIRE_VERSION: u8 = 1;

/// An X-Wing encapsulation: X25519 (32) and ML-KEM-768 (1,088).
pub const ENCAPSULATION_LEN: usize = 1_120;
/// An AES-256-GCM tag.
pub const TAG_LEN: usize = 16;
/// The padded plaintext of every request, whatever its verb.
pub const REQUEST_PLAINTEXT_LEN: usize = 1_024;
/// One sealed request.
pub const REQUEST_FRAME_LEN: usize = ENCAPSULATION_LEN + REQUEST_PLAINTEXT_LEN + TAG_LEN;
/// The padded plaintext of every response, whatever its outcome.
pub const RESPONSE_PLAINTEXT_LEN: usize = 1_024;
/// The fresh nonce in front of every response (RFC 9458 §4.4).
pub const RESPONSE_NONCE_LEN: usize = 32;
/// One sealed response.
pub const RESPONSE_FRAME_LEN: usize = RESPONSE_NONCE_LEN + RESPONSE_PLAINTEXT_LEN + TAG_LEN;
/// The padded plaintext of every ticket.
pub const TICKET_PLAINTEXT_LEN: usize = 384;
/// One sealed ticket.
pub const SEALED_TICKET_LEN: usize = ENCAPSULATION_LEN + TICKET_PLAINTEXT_LEN + TAG_LEN;

/// A fleet's name, in bytes of printable ASCII.
pub const FLEET_LEN_MAX: usize = 64;
/// A namespace, in bytes of printable ASCII.
pub const NAMESPACE_LEN_MAX: usize = 128;
/// An app's name, in bytes of printable ASCII.
pub const APP_LEN_MAX: usize = 64;
/// A normalised account name, in bytes of UTF-8.
pub const ACCOUNT_LEN_MAX: usize = 320;
/// Nodes in one fleet.
pub const NODES_MAX: usize = 62;
/// One start statement with its custodians' signatures.
pub const START_LEN_MAX: usize = 16 * 1_024;
/// One message between a host and its vault process.
pub const PROCESS_MESSAGE_LEN_MAX: usize = 80 * 1_024 * 1_024;

/// OPAQUE messages of the pinned suite (RFC 9807, ristretto255-SHA512, 3DH).
pub mod opaque {
    /// A registration request: one blinded element.
    pub const REGISTRATION_REQUEST_LEN: usize = 32;
    /// A registration response: one evaluated element and the server's public key.
    pub const REGISTRATION_RESPONSE_LEN: usize = 64;
    /// A registration record: client public key, masking key, envelope.
    pub const REGISTRATION_UPLOAD_LEN: usize = 192;
    /// KE1.
    pub const KE1_LEN: usize = 96;
    /// KE2.
    pub const KE2_LEN: usize = 320;
    /// KE3.
    pub const KE3_LEN: usize = 64;
}

/// A backup key under the export key: 32 bytes and a tag.
pub const WRAPPED_KEY_LEN: usize = 32 + TAG_LEN;
/// A wrapped key under the session key: the former and a second tag.
pub const RELEASED_KEY_LEN: usize = WRAPPED_KEY_LEN + TAG_LEN;
/// Device keys that one record may hold.
pub const DEVICES_MAX: usize = 4;
