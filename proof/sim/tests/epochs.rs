//! A whole fleet under a later manifest, and what becomes of it under the older one again.

mod small;

use small::Small;
use strongroom_sim::hardware::SimHardware;
use strongroom_vault::Vault;

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
    assert_eq!(small.stand(), vec![(1, Some(106)); 7], "revoked gateways would be believed again");
}
