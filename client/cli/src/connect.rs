//! From a profile to a client: the manifest is checked before anybody is asked for a password.

use crate::{
    Context,
    failure::{Failure, exit},
    home::{FloorsName, Profile},
    password,
};
use std::fs;
use strongroom_account::Account;
use strongroom_manifest::{Floors, MANIFEST_LEN_MAX, Manifest, Protection, Verified};
use strongroom_sdk::{
    Destination, Http, Patience, ProtocolError, SdkError, StrongroomClient, Token, now_ms,
};
use zeroize::Zeroizing;

/// A client and what the manifest promises.
pub(crate) struct Connection {
    pub(crate) client: StrongroomClient,
    pub(crate) account: Account,
    pub(crate) manifest: Verified<Manifest>,
}

impl Connection {
    /// Attempts in a row.
    pub(crate) fn row(&self) -> u8 {
        self.manifest.policy.row
    }

    /// Sorts an error.
    pub(crate) fn failure(&self, error: &SdkError) -> Failure {
        Failure::of_sdk(error, self.row())
    }

    pub(crate) fn fleet(&self) -> &str {
        self.client.destination().fleet()
    }

    /// What stands between the key and whoever has root on one node.
    pub(crate) fn protection(&self) -> &'static str {
        match self.client.destination().protection() {
            Protection::Software => "software",
            Protection::KeysOnly => "keys-only",
            Protection::KeysAndLogic => "keys-and-logic",
        }
    }
}

/// Reads the profile, checks the manifest, and builds a client. Sends nothing.
pub(crate) fn connect(cx: &Context, named: Option<&str>) -> Result<Connection, Failure> {
    let profile = cx.home.profile()?;
    let device = cx.home.device()?;
    let known = device.as_ref().and_then(|device| device.account.clone());
    let name =
        named.map(str::to_owned).or(known.clone()).or_else(|| profile.account.clone()).ok_or_else(
            || Failure::usage("no account").hint("name it, or write it into the profile"),
        )?;
    let account = Account::normalise(&name)
        .map_err(|e| Failure::usage(format!("account {name:?}: {e}")).free())?;
    if let Some(known) = known
        && known != account.as_str()
    {
        return Err(Failure::usage(format!(
            "this device holds the key of {known}, not of {account}"
        ))
        .hint("use another folder with --home for another account")
        .free());
    }
    let manifest = manifest(cx, &profile)?;
    let floors = match profile.floors {
        FloorsName::Production => Floors::PRODUCTION,
        FloorsName::Development => Floors::DANGER_DEVELOPMENT,
    };
    let now = now_ms();
    let to = Destination::new(&manifest, &profile.fleet, &profile.app, &account, &floors, now);
    let to = to.map_err(|error| refused(&error))?;
    let token = Token::new(token(cx, &profile)?.as_str());
    let http = Http::new(&profile.gateway, &token)
        .map_err(|e| Failure::usage(format!("profile.toml: {e}")).free())?;
    let patience = Patience {
        deadline: cx.patience,
        one_try: cx.patience.min(Patience::default().one_try),
        ..Patience::default()
    };
    let client = StrongroomClient::new(to, http).with_patience(patience);
    if client.destination().protection() == Protection::Software {
        cx.voice.warn(
            "INSECURE: this fleet keeps its keys in ordinary processes (protection: software). It is \
             for development; do not trust it with anything",
        );
    }
    Ok(Connection { client, account, manifest })
}

fn manifest(cx: &Context, profile: &Profile) -> Result<Verified<Manifest>, Failure> {
    let path = cx.home.resolve(&profile.manifest);
    let failed = |e: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read the manifest {}: {e}", path.display())).free()
    };
    let len = fs::metadata(&path).map_err(|e| failed(&e))?.len();
    if len > MANIFEST_LEN_MAX as u64 {
        return Err(failed(&format!("{len} bytes, at most {MANIFEST_LEN_MAX} expected")));
    }
    let bytes = fs::read(&path).map_err(|e| failed(&e))?;
    let mut pin = [0; 32];
    hex::decode_to_slice(profile.manifest_sha256.trim(), &mut pin).map_err(|_| {
        Failure::usage("profile.toml: manifest_sha256: expected 64 hexadecimal digits").free()
    })?;
    Verified::pinned(&bytes, &pin).map_err(|error| refused(&ProtocolError::Manifest(error)))
}

/// Nothing is sent to a fleet that the manifest does not vouch for.
fn refused(error: &ProtocolError) -> Failure {
    Failure::new(exit::FLEET_KEY, "fleet_key_refused", error.to_string())
        .hint(
            "get the current manifest and its SHA-256 from whoever made this app; nothing was sent",
        )
        .free()
}

fn token(cx: &Context, profile: &Profile) -> Result<Zeroizing<String>, Failure> {
    match (&profile.token, &profile.token_file) {
        (Some(token), None) => Ok(Zeroizing::new(token.clone())),
        (None, Some(path)) => password::first_line_of_file(&cx.home.resolve(path)),
        (None, None) => Err(Failure::usage("profile.toml has neither token nor token_file").free()),
        (Some(_), Some(_)) => {
            Err(Failure::usage("profile.toml has both token and token_file, expected one").free())
        }
    }
}
