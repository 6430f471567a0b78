//! One sealed request and its one sealed response (spec §5): HPKE (RFC 9180) base mode with X-Wing.
//!
//! * **What it is.** Both ends of the session: a device or gateway seals to a fleet, a vault opens
//!   and answers under a key that only the sender can derive.
//! * **What it may assume.** A public key that the manifest lists, and seeds that never repeat.
//! * **What it must never do.** Answer twice under one nonce, or open anything of another size.

#![forbid(unsafe_code)]

mod response;
mod seal;
mod secret;

pub use response::{ResponseOpener, ResponseSealer};
pub use seal::{FleetPublic, Scope, SealError, seal_box, seal_request, seal_ticket};
pub use secret::FleetSecret;

use hpke::{aead::AesGcm256, kdf::KdfShake256, kem::XWing};

type Aead = AesGcm256;
type Kdf = KdfShake256;
type Kem = XWing;

const REQUEST_LABEL: &str = "strongroom/session/request/v1";
const BOX_LABEL: &str = "strongroom/box/v1";
const TICKET_LABEL: &str = "strongroom/session/ticket/v1";
const RESPONSE_EXPORT: &[u8] = b"strongroom/session/response/v1";

/// Bytes that did not open, or are not of the one expected size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenError;

impl core::fmt::Display for OpenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the sealed bytes do not open under this key")
    }
}

impl core::error::Error for OpenError {}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_wire::caps;

    fn scope() -> Scope<'static> {
        Scope { manifest_digest: &[7; 32], fleet: "dev" }
    }

    fn sealed() -> (FleetSecret, Vec<u8>, ResponseOpener) {
        let secret = FleetSecret::from_seed([1; 32]);
        let plaintext = vec![3; caps::REQUEST_PLAINTEXT_LEN];
        let (frame, opener) =
            seal_request(&scope(), &secret.public(), &plaintext, [2; 32]).expect("seal");
        (secret, frame, opener)
    }

    #[test]
    fn a_request_and_its_response_cross() {
        let (secret, frame, opener) = sealed();
        assert_eq!(frame.len(), caps::REQUEST_FRAME_LEN);
        let (plaintext, sealer) = secret.open_request(&scope(), &frame).expect("open");
        assert_eq!(plaintext, vec![3; caps::REQUEST_PLAINTEXT_LEN]);
        let answer = vec![9; caps::RESPONSE_PLAINTEXT_LEN];
        let response = sealer.seal(&answer, [4; 32]).expect("seal response");
        assert_eq!(response.len(), caps::RESPONSE_FRAME_LEN);
        assert_eq!(opener.open(&response).expect("open response"), answer);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let (secret, frame, opener) = sealed();
        for at in [0, 31, 700, caps::ENCAPSULATION_LEN, frame.len() - 1] {
            let mut bad = frame.clone();
            bad[at] ^= 1;
            assert!(secret.open_request(&scope(), &bad).is_err(), "byte {at}");
        }
        let (_, sealer) = secret.open_request(&scope(), &frame).expect("open");
        let response =
            sealer.seal(&[9; caps::RESPONSE_PLAINTEXT_LEN], [4; 32]).expect("seal response");
        for at in [0, 32, response.len() - 1] {
            let mut bad = response.clone();
            bad[at] ^= 1;
            assert!(opener.open(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn other_sizes_are_refused() {
        let (secret, frame, opener) = sealed();
        for len in [0, 1, frame.len() - 1] {
            assert!(secret.open_request(&scope(), &frame[..len]).is_err());
        }
        let mut long = frame.clone();
        long.push(0);
        assert!(secret.open_request(&scope(), &long).is_err());
        assert!(opener.open(&[0; caps::RESPONSE_FRAME_LEN - 1]).is_err());
        assert!(seal_request(&scope(), &secret.public(), &[0; 5], [2; 32]).is_err());
    }

    #[test]
    fn another_fleet_manifest_or_kind_does_not_open() {
        let (secret, frame, _) = sealed();
        let fleet = Scope { fleet: "other", ..scope() };
        let manifest = Scope { manifest_digest: &[8; 32], ..scope() };
        assert!(secret.open_request(&fleet, &frame).is_err());
        assert!(secret.open_request(&manifest, &frame).is_err());
        let ticket =
            seal_ticket(&scope(), &secret.public(), &[5; caps::TICKET_PLAINTEXT_LEN], [2; 32])
                .expect("seal ticket");
        assert_eq!(ticket.len(), caps::SEALED_TICKET_LEN);
        assert_eq!(secret.open_ticket(&scope(), &ticket).expect("open ticket").len(), 384);
        assert!(secret.open_request(&scope(), &ticket).is_err());
    }

    #[test]
    fn one_request_answered_twice_uses_two_keys() {
        let (secret, frame, opener) = sealed();
        let (_, sealer) = secret.open_request(&scope(), &frame).expect("open");
        let answer = vec![9; caps::RESPONSE_PLAINTEXT_LEN];
        let first = sealer.seal(&answer, [4; 32]).expect("first");
        let second = sealer.seal(&answer, [5; 32]).expect("second");
        assert_ne!(first[32..], second[32..]);
        assert_eq!(opener.open(&second).expect("open"), answer);
    }
}
