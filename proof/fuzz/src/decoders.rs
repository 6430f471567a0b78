//! Everything that only reads: an error, or a value that encodes to the same bytes.

use strongroom_account::{Account, Password};
use strongroom_manifest::{Manifest, Verified, parse, to_canonical_json};
use strongroom_opaque::{Exchange, Server, generate_server_key};
use strongroom_record::Entry;
use strongroom_session::{FleetPublic, FleetSecret, Scope};
use strongroom_wire::{
    AccountHash, Fixed, Slot,
    caps::opaque::{KE1_LEN, KE3_LEN},
    codec::{self, pad_in_steps, unpad, unpad_in_steps},
    digest::sha256,
    owner::{Authority, OwnerAuth},
    process::{self, Health, PersistOp, ToHost, ToVault},
    relay::{self, RelayRequest},
    request::{Body, Registration, Request, Verb},
    response::{Budget, Outcome, Receipt, RecoveryReceipt, Response, SignedResponse, SlotStatus},
    start::{Position, SignedPosition, SignedStart, Start},
    ticket::Ticket,
};

/// Whether the bytes are a value of one of these types; each that is read is what was written, to
/// the byte.
macro_rules! canonical {
    ($bytes:expr, $($t:ty),+ $(,)?) => {{
        let mut accepted = false;
        $(
            if let Ok(value) = codec::decode::<$t>($bytes, 1 << 20) {
                assert_eq!(codec::encode(&value), $bytes, "two encodings of one value");
                accepted = true;
            }
        )+
        accepted
    }};
}

/// What is read from a padded plaintext is written as the same plaintext.
fn padded<T, E, F>(
    bytes: &[u8],
    read: Result<T, E>,
    write: impl Fn(&T) -> Result<Vec<u8>, F>,
) -> bool {
    let Ok(value) = read else { return false };
    let written = write(&value).ok().expect("what was read can be written");
    assert_eq!(written, bytes, "two plaintexts of one value");
    true
}

pub(crate) fn request(bytes: &[u8]) -> bool {
    let padded = padded(bytes, Request::from_plaintext(bytes), Request::to_plaintext);
    canonical!(bytes, Request, Body, Registration, AccountHash, Verb) || padded
}

pub(crate) fn ticket(bytes: &[u8]) -> bool {
    let padded = padded(bytes, Ticket::from_plaintext(bytes), Ticket::to_plaintext);
    canonical!(bytes, Ticket, Slot) || padded
}

pub(crate) fn response(bytes: &[u8]) -> bool {
    let read = SignedResponse::from_plaintext(bytes);
    let padded = padded(bytes, read, |(signed, _)| signed.to_plaintext());
    canonical!(bytes, SignedResponse, Response, Outcome)
        | padded
        | canonical!(bytes, Budget, Receipt, RecoveryReceipt, SlotStatus)
}

pub(crate) fn owner(bytes: &[u8]) -> bool {
    canonical!(bytes, OwnerAuth, Authority)
}

pub(crate) fn process(bytes: &[u8]) -> bool {
    let to_vault = process::to_vault_from_bytes(bytes).is_ok();
    let to_host = process::to_host_from_bytes(bytes).is_ok();
    assert_eq!(to_vault, canonical!(bytes, ToVault));
    assert_eq!(to_host, canonical!(bytes, ToHost));
    to_vault | to_host | canonical!(bytes, PersistOp, Health)
}

pub(crate) fn start(bytes: &[u8]) -> bool {
    assert_eq!(SignedPosition::from_bytes(bytes).is_ok(), canonical!(bytes, SignedPosition));
    if SignedStart::from_bytes(bytes).is_ok() {
        assert!(canonical!(bytes, SignedStart));
    }
    canonical!(bytes, SignedPosition, SignedStart, Position, Start)
}

pub(crate) fn relay(bytes: &[u8]) -> bool {
    let request = RelayRequest::from_bytes(bytes);
    if let Ok(request) = &request {
        assert_eq!(request.to_bytes(), bytes);
    }
    let reply = relay::reply_from_bytes(bytes);
    if let Ok(reply) = &reply {
        assert_eq!(relay::reply_to_bytes(reply), bytes);
    }
    request.is_ok() || reply.is_ok()
}

pub(crate) fn manifest(bytes: &[u8]) -> bool {
    let read = parse(bytes);
    let pinned = Verified::<Manifest>::pinned(bytes, &sha256(bytes));
    let Ok(read) = read else {
        assert!(pinned.is_err(), "verified what cannot be parsed");
        return false;
    };
    assert_eq!(to_canonical_json(&read), bytes, "two encodings of one manifest");
    true
}

pub(crate) fn entry(bytes: &[u8]) -> bool {
    let Ok(entry) = Entry::from_bytes(bytes) else { return false };
    assert_eq!(entry.to_bytes().ok().as_deref(), Some(bytes), "two encodings of one entry");
    true
}

pub(crate) fn account(bytes: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let account = Account::normalise(text).is_ok();
    let password = Password::prepare(text).is_ok();
    account || password
}

/// A trace that is read is written as it was understood, and read again.
pub(crate) fn trace(bytes: &[u8]) -> bool {
    let Ok(tape) = strongroom_sim::trace::read(bytes) else { return false };
    let mut again = Vec::new();
    strongroom_sim::trace::write(&mut again, &tape).expect("memory");
    assert_eq!(strongroom_sim::trace::read(&again[..]).expect("a trace"), tape);
    true
}

/// Feeds the server with each message that the bytes could be.
pub(crate) fn opaque(bytes: &[u8]) -> bool {
    let (private, _) = generate_server_key([3; 32]).expect("a key");
    let server = Server::new(&private, [4; 32]).expect("a server");
    let mut accepted = false;
    if let Ok(request) = bytes.try_into() {
        accepted |= server.register(&[5; 32], request).is_ok();
    }
    if let Ok(upload) = bytes.try_into() {
        accepted |= Server::check_upload(upload).is_ok();
    }
    if let Ok(ke1) = bytes.try_into() {
        accepted |= login(&server, ke1);
    }
    accepted
}

fn login(server: &Server, ke1: &[u8; KE1_LEN]) -> bool {
    let slot = Slot(Fixed([9; 32]));
    let exchange = Exchange { namespace: "n", keyset: 1, fleet: "eu", epoch: 1, slot: &slot };
    let login = || server.login(&[5; 32], None, ke1, [6; 32], &exchange);
    let valid = Server::check_ke1(ke1).is_ok();
    match (login(), login()) {
        (Ok(one), Ok(two)) => {
            assert!(valid, "answered what its check refuses");
            assert_eq!(one.ke2(), two.ke2(), "one seed, two answers");
            assert!(one.finish(&[0; KE3_LEN]).is_none(), "a made-up KE3 was believed");
        }
        _ => assert!(!valid, "did not answer what its check accepts"),
    }
    valid
}

/// Nothing that was not sealed to this fleet opens.
pub(crate) fn sealed(bytes: &[u8]) -> bool {
    let secret = FleetSecret::from_seed([7; 32]);
    let scope = Scope { manifest_digest: &[8; 32], fleet: "eu" };
    assert!(secret.open_request(&scope, bytes).is_err(), "a forged request opened");
    assert!(secret.open_ticket(&scope, bytes).is_err(), "a forged ticket opened");
    assert!(secret.open_box("box", bytes, 4_096).is_err(), "a forged box opened");
    let public = FleetPublic::from_bytes(bytes);
    if let Ok(public) = &public {
        assert_eq!(public.to_bytes(), bytes);
    }
    let plain = unpad(bytes, bytes.len());
    let stepped = unpad_in_steps(bytes);
    if let Ok(content) = stepped {
        assert_eq!(pad_in_steps(content).as_deref(), Ok(bytes), "two paddings of one content");
    }
    public.is_ok() || plain.is_ok() || stepped.is_ok()
}
