//! Development: accounts and the digests of their tokens, in a file.

use super::Refusal;
use crate::{account, config, error::GatewayError};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};
use strongroom_wire::{AccountHash, digest::sha256};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    users: Vec<User>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    account: String,
    token_sha256: String,
}

/// Which version of the file was read: a rewrite changes one of the two.
type Stamp = (SystemTime, u64);

struct Loaded {
    accounts: BTreeMap<[u8; 32], AccountHash>,
    stamp: Stamp,
}

/// The users file. A token that is not in it makes the file be looked at again, so that a user who
/// is added while the gateway runs can sign in.
pub(crate) struct Users {
    path: PathBuf,
    loaded: Mutex<Loaded>,
}

impl Users {
    pub(crate) fn open(path: PathBuf) -> Result<Self, GatewayError> {
        let loaded = load(&path)?;
        Ok(Self { path, loaded: Mutex::new(loaded) })
    }

    /// The account whose token has this SHA-256.
    ///
    /// Looking up by digest leaks no token by its timing: the digest of a near miss is no near miss.
    pub(crate) fn account(&self, token: &str) -> Result<AccountHash, Refusal> {
        let digest = sha256(token.as_bytes());
        // A poisoned lock holds a map that was replaced as a whole, or not at all.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if !loaded.accounts.contains_key(&digest)
            && stamp(&self.path).is_ok_and(|now| now != loaded.stamp)
        {
            match load(&self.path) {
                Ok(newer) => *loaded = newer,
                // Half-written, perhaps: the accounts that were good stay good.
                Err(error) => tracing::warn!(%error, "the users file was not read again"),
            }
        }
        let unknown = Refusal::Untrusted("the token is not in the users file");
        loaded.accounts.get(&digest).copied().ok_or(unknown)
    }
}

fn stamp(path: &Path) -> Result<Stamp, std::io::Error> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}

fn load(path: &Path) -> Result<Loaded, GatewayError> {
    let content = |what: String| GatewayError::Content { path: path.to_owned(), what };
    // Before the content: a write in between is seen as a change later.
    let stamp =
        stamp(path).map_err(|source| GatewayError::Read { path: path.to_owned(), source })?;
    let file: File =
        toml::from_str(&config::read_text(path)?).map_err(|e| content(e.to_string()))?;
    let mut accounts = BTreeMap::new();
    for (at, user) in file.users.iter().enumerate() {
        let mut digest = [0; 32];
        hex::decode_to_slice(&user.token_sha256, &mut digest).map_err(|_| {
            content(format!("user {}: token_sha256: expected 64 hexadecimal digits", at + 1))
        })?;
        let account = account::hash_of(&user.account)
            .ok_or_else(|| content(format!("user {}: not an account name", at + 1)))?;
        if accounts.insert(digest, account).is_some() {
            return Err(content(format!("user {}: its token is another user's", at + 1)));
        }
    }
    Ok(Loaded { accounts, stamp })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(account: &str, token: &str) -> String {
        let digest = hex::encode(sha256(token.as_bytes()));
        format!("[[users]]\naccount = \"{account}\"\ntoken_sha256 = \"{digest}\"\n")
    }

    #[test]
    fn a_user_added_later_signs_in_without_a_restart() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("users.toml");
        fs::write(&path, line("alice", "a")).expect("write");
        let users = Users::open(path.clone()).expect("open");
        assert!(users.account("a").is_ok());
        assert!(users.account("b").is_err());
        fs::write(&path, line("alice", "a") + &line("bob", "b")).expect("write");
        assert_eq!(users.account("b").ok(), account::hash_of("bob"));
        fs::write(&path, "broken").expect("write");
        assert!(users.account("c").is_err());
        assert!(users.account("a").is_ok());
    }

    #[test]
    fn two_spellings_of_a_name_are_one_account() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("users.toml");
        fs::write(&path, line("Alice", "1") + &line("alice", "2")).expect("write");
        let users = Users::open(path).expect("open");
        assert_eq!(users.account("1"), users.account("2"));
    }

    #[test]
    fn a_token_of_two_users_is_refused_at_start() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("users.toml");
        fs::write(&path, line("alice", "t") + &line("bob", "t")).expect("write");
        assert!(Users::open(path).is_err());
    }
}
