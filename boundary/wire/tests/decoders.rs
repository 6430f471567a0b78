//! Every decoder against noise: whatever comes in, an error or a value that encodes to the same bytes.

use proptest::prelude::*;
use strongroom_wire::{
    AccountHash, CodecError, Fixed, Slot, caps, codec,
    owner::{Authority, OwnerAuth},
    process::{self, Health, PersistOp, ToHost, ToVault},
    relay::{self, RelayRequest},
    request::{Body, Registration, Request, Verb},
    response::{Budget, Outcome, Receipt, RecoveryReceipt, Response, SignedResponse, SlotStatus},
    start::{Position, SignedPosition, SignedStart, Start},
    ticket::Ticket,
};

/// A value that is read back must be what was given, to the byte.
fn canonical<T>(bytes: &[u8])
where
    T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>,
{
    if let Ok(value) = codec::decode::<T>(bytes, 1 << 20) {
        assert_eq!(codec::encode(&value), bytes);
    }
}

fn all(bytes: &[u8]) {
    canonical::<AccountHash>(bytes);
    canonical::<Slot>(bytes);
    canonical::<Verb>(bytes);
    canonical::<Registration>(bytes);
    canonical::<Body>(bytes);
    canonical::<Request>(bytes);
    canonical::<OwnerAuth>(bytes);
    canonical::<Authority>(bytes);
    canonical::<Ticket>(bytes);
    canonical::<Budget>(bytes);
    canonical::<Receipt>(bytes);
    canonical::<RecoveryReceipt>(bytes);
    canonical::<SlotStatus>(bytes);
    canonical::<Outcome>(bytes);
    canonical::<Response>(bytes);
    canonical::<SignedResponse>(bytes);
    canonical::<Position>(bytes);
    canonical::<SignedPosition>(bytes);
    canonical::<Start>(bytes);
    canonical::<SignedStart>(bytes);
    canonical::<ToVault>(bytes);
    canonical::<ToHost>(bytes);
    canonical::<PersistOp>(bytes);
    canonical::<Health>(bytes);
    let _ = Request::from_plaintext(bytes);
    let _ = Ticket::from_plaintext(bytes);
    let _ = SignedResponse::from_plaintext(bytes);
    let _ = SignedPosition::from_bytes(bytes);
    let _ = SignedStart::from_bytes(bytes);
    let _ = RelayRequest::from_bytes(bytes);
    let _ = relay::reply_from_bytes(bytes);
    let _ = process::to_vault_from_bytes(bytes);
    let _ = process::to_host_from_bytes(bytes);
}

fn request() -> Request {
    let account = AccountHash::of("alice").expect("account");
    Request::new(account, Body::RecoverStart { ke1: Fixed([7; caps::opaque::KE1_LEN]) })
}

proptest! {
    #[test]
    fn noise_never_panics_and_never_has_two_encodings(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        all(&bytes);
    }

    #[test]
    fn a_damaged_request_is_refused_or_is_canonical(at in 0_usize..1_024, bit in 0_u8..8) {
        let mut bytes = request().to_plaintext().expect("fits");
        bytes[at] ^= 1 << bit;
        if let Ok(read) = Request::from_plaintext(&bytes) {
            prop_assert_eq!(read.to_plaintext().expect("fits"), bytes);
        }
    }
}

#[test]
fn long_forms_trailing_bytes_and_extra_elements_are_refused() {
    let budget = Budget { row_left: 10, year_left: 40, next_ms: 0 };
    assert_eq!(codec::encode(&budget), [0x83, 0x0a, 0x18, 0x28, 0x00]);
    let refused: [(&[u8], CodecError); 5] = [
        (&[0x83, 0x0a, 0x18, 0x28, 0x00, 0x00], CodecError::NotCanonical),
        (&[0x84, 0x0a, 0x18, 0x28, 0x00, 0x00], CodecError::NotCanonical),
        (&[0x83, 0x18, 0x0a, 0x18, 0x28, 0x00], CodecError::NotCanonical),
        (&[0x9f, 0x0a, 0x18, 0x28, 0x00, 0xff], CodecError::NotCanonical),
        (&[0x83, 0x0a, 0x18], CodecError::Malformed),
    ];
    for (bytes, error) in refused {
        assert_eq!(codec::decode::<Budget>(bytes, 64), Err(error), "{bytes:02x?}");
    }
    let long = [0; 65];
    assert_eq!(codec::decode::<Budget>(&long, 64), Err(CodecError::TooLong { got: 65, cap: 64 }));
}

#[test]
fn other_sizes_versions_and_padding_are_refused() {
    let plaintext = request().to_plaintext().expect("fits");
    assert!(Request::from_plaintext(&plaintext).is_ok());
    let short = CodecError::Length { got: 1_023, expected: 1_024 };
    assert_eq!(Request::from_plaintext(&plaintext[..1_023]), Err(short));
    let mut padded = plaintext;
    padded[1_023] = 1;
    assert_eq!(Request::from_plaintext(&padded), Err(CodecError::Padding));
    let future = Request { version: 2, ..request() };
    let future = future.to_plaintext().expect("fits");
    assert_eq!(Request::from_plaintext(&future), Err(CodecError::Version { got: 2 }));
}

#[test]
fn app_and_account_cannot_be_shifted_into_each_other() {
    let slot = |app, account| Slot::of(app, &AccountHash::of(account).expect("account"));
    assert_ne!(slot("chat", "pro:alice"), slot("chatpro", ":alice"));
}

#[test]
fn what_has_no_fixed_size_is_padded_in_steps() {
    const STEP: usize = 65_536;
    let size = |len: usize| codec::pad_in_steps(&vec![7; len]).expect("padded").len();
    assert_eq!((size(0), size(STEP - 4), size(STEP - 3)), (STEP, STEP, 2 * STEP));
    // Padmé: above two megabytes the step doubles with the length, and costs less than 12 %.
    assert_eq!(size(5 << 20), (5 << 20) + 2 * STEP);
    for len in [1 << 20, (1 << 20) + 1, 3_000_001, 20_000_000, 60_000_000] {
        let padded = size(len);
        assert!(padded >= len + 4 && padded - len < len / 8, "{len} became {padded}");
    }
    let padded = codec::pad_in_steps(b"some salts").expect("padded");
    assert_eq!(codec::unpad_in_steps(&padded), Ok(&b"some salts"[..]));
}

#[test]
fn padding_in_steps_has_one_form() {
    const STEP: usize = 65_536;
    let padded = codec::pad_in_steps(b"some salts").expect("padded");
    let refused = |bytes: &[u8], error| assert_eq!(codec::unpad_in_steps(bytes), Err(error));
    refused(&[], CodecError::Malformed);
    refused(&[0, 0, 0], CodecError::Malformed);
    refused(&padded[..STEP - 1], CodecError::Length { got: STEP - 1, expected: STEP });
    let longer = [&padded[..], &vec![0; STEP]].concat();
    refused(&longer, CodecError::Length { got: 2 * STEP, expected: STEP });
    let mut other = padded.clone();
    other[STEP - 1] = 1;
    refused(&other, CodecError::Padding);
    // A length that somebody merely wrote allocates nothing and reads nothing.
    other[..4].copy_from_slice(&u32::MAX.to_be_bytes());
    refused(&other, CodecError::Malformed);
}
