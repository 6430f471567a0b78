//! The one way from a name that an issuer gave to the hash that a slot is made of.

use strongroom_account::Account;
use strongroom_wire::AccountHash;

/// The hash of the normalised name; nothing for a name that no device could have typed.
///
/// The name itself goes no further than this: limits, tickets and logs see hashes or less.
pub(crate) fn hash_of(name: &str) -> Option<AccountHash> {
    let account = Account::normalise(name).ok()?;
    AccountHash::of(account.as_str())
}
