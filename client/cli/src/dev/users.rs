//! Users of a development fleet: an account, a token, and a profile that the client reads.

use super::{
    error::DevError,
    keys,
    layout::{APP, FLEET, Layout, State, private_dir, write_private},
    setup::to_toml,
};
use serde::Serialize;
use std::{fs, path::PathBuf};
use strongroom_account::Account;
use strongroom_wire::digest::sha256;

const NAME_LEN_MAX: usize = 64;

#[derive(Serialize)]
struct UsersFile {
    users: Vec<User>,
}

#[derive(Serialize)]
struct User {
    account: String,
    token_sha256: String,
}

#[derive(Serialize)]
struct Profile<'a> {
    gateway: String,
    app: &'static str,
    fleet: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_sha256: Option<String>,
    account: &'a str,
    token_file: PathBuf,
    floors: &'static str,
}

/// The account of a name, which also names its folder.
fn account_of(name: &str) -> Result<String, DevError> {
    let account = Account::normalise(name)
        .map_err(|e| DevError::usage(format!("{name}: {e}")))?
        .as_str()
        .to_owned();
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "._@+-".contains(sign);
    let is_folder_name = account.chars().all(is_plain)
        && !account.starts_with(['.', '-'])
        && account.len() <= NAME_LEN_MAX;
    if is_folder_name {
        Ok(account)
    } else {
        Err(DevError::usage(format!(
            "{name}: a development user has 1 to {NAME_LEN_MAX} of a-z 0-9 . _ @ + -"
        )))
    }
}

/// What a user's profile pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pins {
    /// Who vouches for manifests; they come over the air.
    Trust,
    /// Today's manifest, for fleets without an auditor that runs.
    Manifest,
}

/// Whether the gateway knows an account.
pub(crate) fn knows(layout: &Layout, account: &str) -> Result<bool, DevError> {
    let path = layout.users();
    let text = fs::read_to_string(&path).map_err(|e| DevError::io("read", &path, &e))?;
    let users: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| DevError::failed(format!("{}: {e}", path.display())))?;
    let list = users.get("users").and_then(toml::Value::as_array);
    let named =
        |user: &toml::Value| user.get("account").and_then(toml::Value::as_str) == Some(account);
    Ok(list.is_some_and(|users| users.iter().any(named)))
}

/// Adds a user, and gives the folder of the profile.
pub(crate) fn add(
    layout: &Layout,
    state: &State,
    name: &str,
    pins: Pins,
) -> Result<PathBuf, DevError> {
    let account = account_of(name)?;
    let home = layout.user(&account);
    // A folder whose user the gateway does not know is what a crash left.
    if knows(layout, &account)? {
        return Err(DevError::usage(format!("there is a user {account} already"))
            .hint(format!("export STRONGROOM_HOME={}", home.display())));
    }
    let manifest = layout.manifest();
    let bytes = fs::read(&manifest).map_err(|e| DevError::io("read", &manifest, &e))?;
    let token = hex::encode(keys::fresh_seed()?.as_slice());
    let (trusts, is_pinned) = (pins == Pins::Trust, pins == Pins::Manifest);
    let profile = Profile {
        gateway: state.gateway_url(),
        app: APP,
        fleet: FLEET,
        trust: trusts.then(|| layout.trust()),
        log: trusts.then(|| format!("{}/{}", state.auditor_url(), keys::NAMESPACE)),
        manifest: is_pinned.then_some(manifest),
        manifest_sha256: is_pinned.then(|| hex::encode(sha256(&bytes))),
        account: &account,
        token_file: home.join("token"),
        floors: "development",
    };
    let users = layout.users();
    let mut text = fs::read_to_string(&users).map_err(|e| DevError::io("read", &users, &e))?;
    text.push_str(&to_toml(&UsersFile {
        users: vec![User {
            account: account.clone(),
            token_sha256: hex::encode(sha256(token.as_bytes())),
        }],
    })?);
    private_dir(&home)?;
    write_private(&home.join("token"), token.as_bytes())?;
    write_private(&home.join("profile.toml"), to_toml(&profile)?.as_bytes())?;
    // Last: from here on the gateway knows the user.
    write_private(&users, text.as_bytes())?;
    Ok(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_added_one_after_the_other() {
        let dir = tempfile::tempdir().expect("dir");
        let layout = Layout::new(dir.path()).expect("layout");
        let state = State::new(3, 20_000, 1);
        fs::write(layout.users(), "").expect("write");
        fs::write(layout.manifest(), "manifest").expect("write");
        let home = add(&layout, &state, "Alice", Pins::Manifest).expect("alice");
        assert!(home.ends_with("users/alice"));
        add(&layout, &state, "bob", Pins::Trust).expect("bob");
        assert_eq!(add(&layout, &state, "alice", Pins::Trust).expect_err("twice").exit_code, 2);
        // A crash before the gateway was told left a folder: it is made anew.
        fs::create_dir(layout.user("carol")).expect("dir");
        fs::write(layout.user("carol").join("token"), "old").expect("write");
        assert!(!knows(&layout, "carol").expect("reads"));
        add(&layout, &state, "carol", Pins::Trust).expect("carol");
        assert!(knows(&layout, "carol").expect("reads"));
        let text = fs::read_to_string(layout.users()).expect("read");
        let users: toml::Table = text.parse().expect("toml");
        let users = users["users"].as_array().expect("list");
        let token = fs::read(home.join("token")).expect("token");
        assert_eq!(users.len(), 3);
        assert_eq!(users[0]["account"].as_str(), Some("alice"));
        let digest = hex::encode(sha256(&token));
        assert_eq!(users[0]["token_sha256"].as_str(), Some(digest.as_str()));
        let profile = fs::read_to_string(home.join("profile.toml")).expect("profile");
        let profile: toml::Table = profile.parse().expect("toml");
        let pin = hex::encode(sha256(b"manifest"));
        assert_eq!(profile["manifest_sha256"].as_str(), Some(pin.as_str()));
        assert_eq!(profile["gateway"].as_str(), Some("http://127.0.0.1:20000"));
        let bob = fs::read_to_string(layout.user("bob").join("profile.toml")).expect("profile");
        let bob: toml::Table = bob.parse().expect("toml");
        assert!(bob.contains_key("trust") && !bob.contains_key("manifest"));
    }

    #[test]
    fn a_name_cannot_lead_out_of_its_folder() {
        for bad in ["", "..", "../x", "a/b", ".hidden", "-x", "a b", "\u{0}"] {
            assert!(account_of(bad).is_err(), "{bad:?}");
        }
        assert_eq!(account_of("Bob@example.org").expect("good"), "bob@example.org");
    }
}
