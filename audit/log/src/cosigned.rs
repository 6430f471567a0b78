//! Witnesses' lines over a log's last checkpoint, for whatever log it is.

use strongroom_tlog::{NoteSignature, Policy, SignedCheckpoint, verify_cosignature};

/// How long a confirmation by witnesses lasts.
pub const CONFIRMED_S_MAX: u64 = 600;
/// How far a cosignature's time may be from the auditor's clock, as a client's rule has it.
const COSIGNED_S_MAX: u64 = 300;

/// Whether a time is about now.
pub(crate) fn near(now_s: u64) -> impl Fn(u64) -> bool {
    move |timestamp| timestamp.abs_diff(now_s) <= COSIGNED_S_MAX
}

/// The checkpoint `signed` with the newest good cosignature of each witness, out of what is `published`
/// and of `lines`. What is not good is its sender's affair and stops nobody: a false line, one dated 0, and
/// one from the future, which would stand before all good ones of the same witness.
pub(crate) fn newest(
    policy: &Policy,
    signed: &SignedCheckpoint,
    published: Option<&SignedCheckpoint>,
    lines: &[NoteSignature],
    now_s: u64,
) -> SignedCheckpoint {
    let latest_s = now_s.saturating_add(COSIGNED_S_MAX);
    let mut cosigned = signed.clone();
    let kept = published.filter(|old| old.checkpoint() == cosigned.checkpoint());
    let kept = kept.into_iter().flat_map(|old| old.note().signatures());
    for witness in policy.witnesses() {
        let of = |line: &&NoteSignature| line.names(witness.key());
        let own = kept.clone().chain(lines).filter(of);
        let verified = own.filter_map(|line| {
            let at = verify_cosignature(cosigned.checkpoint(), line, witness.key()).ok()?;
            (1..=latest_s).contains(&at).then_some((at, line))
        });
        let newest = verified.max_by_key(|(at, _)| *at).map(|(_, line)| line.clone());
        if let Some(line) = newest {
            // It verified a moment ago. A note that is full takes no more; the quorum is counted by who stands
            // in it.
            let _ = cosigned.add_cosignature(line, witness.key());
        }
    }
    cosigned
}
