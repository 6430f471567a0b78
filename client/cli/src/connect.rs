//! From a profile to a client: the manifest is checked before anybody is asked for a password.

use crate::{
    Context,
    failure::{Failure, exit},
    home::{FloorsName, HomeLock, Profile},
    password,
};
use std::{fs, io::Read as _, path::Path, sync::Arc};
use strongroom_account::Account;
use strongroom_manifest::{Floors, MANIFEST_LEN_MAX, Manifest, Protection, Verified};
use strongroom_sdk::{
    Belief, BeliefError, Destination, Http, LookError, Patience, ProtocolError, SdkError, Slot,
    StrongroomClient, TRUST_LEN_MAX, Token, Trust, look, now_ms,
};
use zeroize::Zeroizing;

/// A client and what the manifest promises.
pub(crate) struct Connection {
    pub(crate) client: StrongroomClient,
    pub(crate) account: Account,
    pub(crate) manifest: Verified<Manifest>,
    profile: Profile,
    /// None where the app pins one manifest.
    belief: Option<Arc<Belief>>,
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

    /// Looks at the manifest again: the password took a person a while to type. What comes back goes to
    /// the manifest of now.
    pub(crate) async fn looked_at_again(self, cx: &Context) -> Result<Self, Failure> {
        let Some(belief) = self.belief.clone() else { return Ok(self) };
        let http = http(cx, &self.profile)?;
        let manifest = believed(cx, &http, &belief).await?;
        if manifest.digest() == self.manifest.digest() {
            return Ok(self);
        }
        let note = format!("the fleet has a new manifest, of epoch {}", manifest.epoch);
        cx.voice.note("new_manifest", &note);
        let to = destination(&self.profile, &manifest, &self.account)?;
        let sealed_to = *manifest.digest();
        let client = self.client.moved_to(to, http.believing(belief, sealed_to));
        Ok(Self { client, manifest, ..self })
    }

    /// Looks at the manifest again where a question took a person a while and what comes back goes on with
    /// what was begun: under another manifest it is begun anew.
    pub(crate) async fn still_stands(&self, cx: &Context) -> Result<(), Failure> {
        let Some(belief) = &self.belief else { return Ok(()) };
        let manifest = believed(cx, &http(cx, &self.profile)?, belief).await?;
        if manifest.digest() == self.manifest.digest() {
            return Ok(());
        }
        let what = format!("the fleet has a new manifest, of epoch {}", manifest.epoch);
        Err(Failure::new(exit::BUSY, "superseded", what).hint("run the command again").free())
    }
}

/// Reads the profile, checks the manifest, and builds a client. Sends nothing but a question for the
/// validation bundle, which says nothing of the account.
pub(crate) async fn connect(
    cx: &Context,
    named: Option<&str>,
    held: &HomeLock,
) -> Result<Connection, Failure> {
    let profile = cx.home.profile()?;
    let account = account(cx, &profile, named)?;
    let mut http = http(cx, &profile)?;
    let belief = belief(cx, &profile, &account, held)?;
    let manifest = match &belief {
        Some(belief) => believed(cx, &http, belief).await?,
        None => pinned(cx, &profile)?,
    };
    let to = destination(&profile, &manifest, &account)?;
    if let Some(belief) = &belief {
        http = http.believing(Arc::clone(belief), *manifest.digest());
    }
    let client = client(cx, to, http);
    if client.destination().protection() == Protection::Software {
        cx.voice.warn(
            "INSECURE: this fleet keeps its keys in ordinary processes (protection: software). It is \
             for development; do not trust it with anything",
        );
    }
    Ok(Connection { client, account, manifest, profile, belief })
}

fn account(cx: &Context, profile: &Profile, named: Option<&str>) -> Result<Account, Failure> {
    let known = cx.home.device()?.and_then(|device| device.account.clone());
    let name =
        named.map(str::to_owned).or(known.clone()).or_else(|| profile.account.clone()).ok_or_else(
            || Failure::usage("no account").hint("name it, or write it into the profile"),
        )?;
    let account = Account::normalise(&name)
        .map_err(|e| Failure::usage(format!("account {name:?}: {e}")).free())?;
    match known {
        Some(known) if known != account.as_str() => {
            let what = format!("this device holds the key of {known}, not of {account}");
            let hint = "use another folder with --home for another account";
            Err(Failure::usage(what).hint(hint).free())
        }
        _ => Ok(account),
    }
}

fn http(cx: &Context, profile: &Profile) -> Result<Http, Failure> {
    let token = Token::new(token(cx, profile)?.as_str());
    Http::new(&profile.gateway, &token)
        .map_err(|e| Failure::usage(format!("profile.toml: {e}")).free())
}

fn patience(cx: &Context) -> Patience {
    Patience {
        deadline: cx.patience,
        one_try: cx.patience.min(Patience::default().one_try),
        // The deadline ends it, which is what the user chose.
        tries: u32::MAX,
    }
}

fn client(cx: &Context, to: Destination, http: Http) -> StrongroomClient {
    StrongroomClient::new(to, http).with_patience(patience(cx))
}

fn floors(profile: &Profile) -> Floors {
    match profile.floors {
        FloorsName::Production => Floors::PRODUCTION,
        FloorsName::Development => Floors::DANGER_DEVELOPMENT,
    }
}

fn destination(
    profile: &Profile,
    manifest: &Verified<Manifest>,
    account: &Account,
) -> Result<Destination, Failure> {
    let floors = floors(profile);
    let to = Destination::new(manifest, &profile.fleet, &profile.app, account, &floors, now_ms());
    to.map_err(|error| refused(&error))
}

/// What the profile pins, if manifests come over the air.
fn belief(
    cx: &Context,
    profile: &Profile,
    account: &Account,
    held: &HomeLock,
) -> Result<Option<Arc<Belief>>, Failure> {
    let path = match (&profile.trust, &profile.manifest, &profile.manifest_sha256) {
        (Some(trust), None, None) => cx.home.resolve(trust),
        (None, Some(_), Some(_)) => return Ok(None),
        _ => {
            let what = "profile.toml: expected either trust, or manifest and manifest_sha256";
            return Err(Failure::usage(what).free());
        }
    };
    let trust = Trust::parse(&read_capped(&path, TRUST_LEN_MAX)?)
        .map_err(|e| Failure::usage(format!("{}: {e}", path.display())).free())?;
    let slot = Slot::of(&profile.app, &account.hash());
    let heads = cx.home.heads(held);
    Ok(Some(Arc::new(Belief::new(trust, floors(profile), &profile.fleet, slot, heads))))
}

/// The manifest of now. Whatever is refused here cost nothing: no password message was sent.
async fn believed(
    cx: &Context,
    http: &Http,
    belief: &Belief,
) -> Result<Verified<Manifest>, Failure> {
    let looked = look(http, belief, &patience(cx)).await;
    let believed = looked.map_err(|error| match error {
        LookError::Belief(error) => disbelieved(&error),
        LookError::Unavailable(error) => Failure::of_carry(&error)
            .hint("without today's validation bundle no password is asked for; try again later")
            .free(),
    })?;
    Ok(believed.manifest().clone())
}

fn disbelieved(error: &BeliefError) -> Failure {
    let cost = "none; no password message was sent";
    match error {
        BeliefError::Refused(refusal) => {
            Failure::new(exit::FLEET_KEY, "fleet_key_refused", error.to_string())
                .fact("step", refusal.step())
                .hint(
                    "do not enter the password anywhere; report this to whoever made this app. \
                     `strongroom verify` shows the whole history",
                )
                .costing("none", cost)
        }
        BeliefError::Head(_) => Failure::machine(error.to_string())
            .hint("without it an older manifest could be passed off as today's; look at that file")
            .costing("none", cost),
    }
}

fn read_capped(path: &Path, cap: usize) -> Result<Vec<u8>, Failure> {
    let failed = |what: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read {}: {what}", path.display())).free()
    };
    let file = fs::File::open(path).map_err(|e| failed(&e))?;
    let mut bytes = Vec::new();
    let mut capped = file.take((cap as u64).saturating_add(1));
    capped.read_to_end(&mut bytes).map_err(|e| failed(&e))?;
    if bytes.len() > cap {
        return Err(failed(&format!("more than the {cap} bytes expected")));
    }
    Ok(bytes)
}

/// The one manifest that the app pins.
fn pinned(cx: &Context, profile: &Profile) -> Result<Verified<Manifest>, Failure> {
    let (path, digits) = match (&profile.manifest, &profile.manifest_sha256) {
        (Some(path), Some(digits)) => (cx.home.resolve(path), digits),
        _ => return Err(Failure::usage("profile.toml pins no manifest").free()),
    };
    let bytes = read_capped(&path, MANIFEST_LEN_MAX)?;
    let mut pin = [0; 32];
    hex::decode_to_slice(digits.trim(), &mut pin).map_err(|_| {
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
