//! A whole fleet under a later manifest, and what becomes of it under the older one again.

mod small;

use small::Small;
use strongroom_account::{Account, Password};
use strongroom_manifest::Floors;
use strongroom_protocol::{
    Authorisation, BackupKey, Destination, DeviceKey, OutgoingFrame, Registration,
};
use strongroom_sim::{
    fleet,
    hardware::{EPOCH_MS, SimHardware},
};
use strongroom_vault::Vault;
use strongroom_wire::{Slot, codec::Blob, process::ToVault};

/// Longer than the plan's time between two compactions.
const COMPACTED_MS: u64 = 10_000;

fn row(vault: &Vault<SimHardware>) -> u8 {
    vault.danger_state().current_policy().row
}

#[test]
fn a_later_manifest_is_adopted_by_an_entry_and_the_older_one_starts_nothing_any_more() {
    let mut small = Small::new();
    small.begin();
    // The state that the next processes read was made under the first policy.
    small.run(COMPACTED_MS);
    assert_eq!(small.stand(), vec![(1, None); 7]);
    let before = small.of.manifest.policy.row;
    let older = small.change(|manifest| {
        manifest.epoch = 2;
        manifest.policy.row -= 1;
    });
    small.begin();
    // Nobody takes the new policy from its own file: the records of before must keep theirs.
    assert_eq!(small.stand(), vec![(1, None); 7]);
    assert!(small.vaults.iter().all(|vault| row(vault) == before));
    small.run(3_000);
    assert_eq!(small.stand(), vec![(2, None); 7], "the leader's entry tells everybody");
    assert!(small.vaults.iter().all(|vault| row(vault) == before - 1));
    // The adoption becomes part of the snapshot that the next start reads.
    small.run(COMPACTED_MS);
    // Custodians may be misled about the hosts' files: every host hands out the old manifest.
    small.of.manifest = older;
    small.begin();
    assert_eq!(small.stand(), vec![(0, Some(106)); 7], "revoked gateways would be believed again");
}

#[test]
fn a_record_keeps_its_policy_where_nothing_was_compacted_before_the_next_manifest() {
    let mut small = Small::new();
    small.change(|manifest| manifest.policy.row = 5);
    small.begin();
    small.run(2_000);
    let slot = enroll(&mut small);
    let kept = |small: &Small| {
        let agreed = |vault: &Vault<SimHardware>| {
            let state = vault.danger_state();
            let of = state.slot(&slot).expect("a slot");
            let registered = of.record.as_ref().expect("a record").policy_epoch;
            (registered, state.policy_of(of).row, state.policy_epoch())
        };
        small.vaults.iter().map(agreed).collect::<Vec<_>>()
    };
    assert_eq!(kept(&small), vec![(1, 5, 1); 7]);
    small.change(|manifest| {
        manifest.epoch = 2;
        manifest.policy.row = 10;
    });
    small.begin();
    // The log is all that there is: it says what was agreed on when.
    small.run(1_500);
    assert_eq!(kept(&small), vec![(1, 5, 2); 7]);
}

/// A record of today's epoch.
fn enroll(small: &mut Small) -> Slot {
    let account = Account::normalise("alice").expect("account");
    let (floors, now) = (Floors::DANGER_DEVELOPMENT, EPOCH_MS);
    let to = Destination::new(&small.of.manifest, fleet::FLEET, fleet::APP, &account, &floors, now)
        .expect("destination")
        .danger_unstretched();
    let device = DeviceKey::from_seed(&[1; 32]);
    let word = Password::prepare("right").expect("password");
    let key = BackupKey::from_bytes([2; 32]);
    let (start, frame) =
        Registration::start(&to, &word, &key, device.public(), [3; 32]).expect("start");
    let offer = start.on_started(&ask(small, to.slot(), &frame)).expect("offer");
    let (finish, frame) = offer.finish(&Authorisation::None).expect("finish");
    finish.on_finished(&ask(small, to.slot(), &frame)).expect("receipt");
    *to.slot()
}

fn ask(small: &mut Small, slot: &Slot, frame: &OutgoingFrame) -> Vec<u8> {
    let ticket = small.ticket(slot, frame.verb(), frame.bytes());
    let (leader, frame) = (small.leader(), Blob(frame.bytes().to_vec()));
    small.step(leader, ToVault::Request { id: 1, ticket: Blob(ticket), frame });
    small.run(200);
    small.replies.pop().expect("a reply").1.expect("an answer")
}
