//! Why a command failed: what happened, what it cost, what next, and the exit code that says it.

use crate::{dev::DevError, time};
use serde_json::{Map, Value, json};
use strongroom_sdk::{
    Blame, Budget, CarryCode, CarryError, Cost, ProtocolError, Refusal, SdkError, Unavailable,
    Voucher,
};

pub(crate) mod exit {
    //! What scripts rely on.

    pub(crate) const FAILED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const PARTIAL: u8 = 3;
    pub(crate) const NO_RECORD: u8 = 10;
    pub(crate) const BUSY: u8 = 11;
    pub(crate) const WRONG_PASSWORD: u8 = 12;
    pub(crate) const LOCKED: u8 = 13;
    pub(crate) const NO_QUORUM: u8 = 14;
    pub(crate) const FLEET_KEY: u8 = 15;
    pub(crate) const CANCELLED: u8 = 130;
}

const LAST_WARNING: &str = "at 0 the backup key is destroyed and nobody can restore it";

const SAID: &str = "said";

/// What something cost, in words and for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CostLine {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

/// One failed command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) exit_code: u8,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) cost: Option<CostLine>,
    pub(crate) hint: Option<String>,
    facts: Box<Map<String, Value>>,
}

impl Failure {
    pub(crate) fn new(exit_code: u8, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit_code,
            code,
            message: message.into(),
            cost: None,
            hint: None,
            facts: Box::default(),
        }
    }

    /// The command asks for what cannot be.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(exit::USAGE, "usage", message)
    }

    /// A file or this machine failed.
    pub(crate) fn machine(message: impl Into<String>) -> Self {
        Self::new(exit::FAILED, "machine", message)
    }

    /// The user interrupted it.
    pub(crate) fn cancelled() -> Self {
        Self::new(exit::CANCELLED, "cancelled", "cancelled").costing(
            "unknown",
            "unknown if a password was sent; `strongroom status` shows the signed count",
        )
    }

    /// A command whose result was no success has said so itself; only its exit code is left.
    pub(crate) fn said(exit_code: u8) -> Self {
        Self::new(exit_code, SAID, "")
    }

    pub(crate) fn was_said(&self) -> bool {
        self.code == SAID
    }

    /// The user said no.
    pub(crate) fn declined() -> Self {
        Self::new(exit::CANCELLED, "cancelled", "cancelled").costing("none", "none")
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    #[must_use]
    pub(crate) fn costing(self, name: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cost: Some(CostLine { name, text }), ..self }
    }

    #[must_use]
    pub(crate) fn free(self) -> Self {
        self.costing("none", "none")
    }

    #[must_use]
    pub(crate) fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    fn budget(self, budget: &Budget, by: &Voucher) -> Self {
        self.fact("attempts_left", budget.row_left)
            .fact("attempts_left_year", budget.year_left)
            .fact("next_attempt_ms", budget.next_ms)
            .fact("signed_by", node(by))
    }

    /// Everything, for programs.
    pub(crate) fn facts(&self) -> Value {
        let mut facts = (*self.facts).clone();
        facts.insert("code".to_owned(), self.code.into());
        facts.insert("exit_code".to_owned(), self.exit_code.into());
        facts.insert("message".to_owned(), self.message.clone().into());
        let cost = self.cost.as_ref().map_or("none", |cost| cost.name);
        facts.insert("cost".to_owned(), cost.into());
        facts.insert("hint".to_owned(), self.hint.clone().into());
        Value::Object(facts)
    }

    /// Why nothing came from a gateway. What it cost is for the caller to say.
    pub(crate) fn of_carry(error: &CarryError) -> Self {
        Self::new(exit_of(error.code), error.code.name(), error.to_string())
            .fact("request_id", error.request_id.clone())
    }

    /// Whether it is certain that no attempt was charged.
    pub(crate) fn is_free(&self) -> bool {
        self.cost.as_ref().is_some_and(|cost| cost.name == "none")
    }

    /// Whether the same command, run again, goes to a newer manifest.
    pub(crate) fn is_superseded(&self) -> bool {
        self.code == CarryCode::Superseded.name()
    }

    /// Sorts an error of the SDK. `row` is how many attempts a row has, as the manifest says.
    pub(crate) fn of_sdk(error: &SdkError, row: u8) -> Self {
        let plain = |exit| Self::new(exit, error.name(), error.to_string());
        let failure = match error {
            SdkError::WrongPassword { budget, by } => {
                let left = left(budget, row, by);
                return plain(exit::WRONG_PASSWORD)
                    .costing("charged", format!("1 attempt; {left}"))
                    .hint(wait_hint(budget, by).unwrap_or_else(|| LAST_WARNING.to_owned()))
                    .budget(budget, by);
            }
            SdkError::RefusedBefore => plain(exit::WRONG_PASSWORD).hint("try another password"),
            SdkError::Locked { destroyed, by, .. } => plain(exit::LOCKED)
                .hint(
                    "a device that still has the backup key can show it (`strongroom key show`) and \
                     enroll it again",
                )
                .fact("destroyed_generation", *destroyed)
                .fact("signed_by", node(by)),
            SdkError::NoRecord { by } => plain(exit::NO_RECORD)
                .hint("check the account's name; `strongroom enroll` stores a key")
                .fact("signed_by", node(by)),
            SdkError::Wait { budget, by, .. } => {
                let text = format!("{error} ({})", left(budget, row, by));
                return Self::new(exit::BUSY, error.name(), text)
                    .free()
                    .hint(wait_hint(budget, by).unwrap_or_else(|| "try again later".to_owned()))
                    .budget(budget, by);
            }
            SdkError::Closed { budget, by } => {
                let left = left(budget, row, by);
                return plain(exit::BUSY)
                    .costing("charged", format!("1 attempt; {left}"))
                    .hint("somebody else, or another window of yours, is recovering this account")
                    .budget(budget, by);
            }
            SdkError::Occupied { by } => plain(exit::FAILED)
                .hint(
                    "if it is yours, `strongroom recover` brings its key here; `strongroom enroll \
                     --replace` announces a replacement, which takes effect after days unless the \
                     owner's device objects",
                )
                .fact("signed_by", node(by)),
            SdkError::ReceiptMissing { generation, .. } => plain(exit::PARTIAL)
                .hint(
                    "`strongroom status` asks whether it is stored; do not enroll with the same \
                     password before you know",
                )
                .fact("generation", *generation),
            SdkError::Unavailable { tried, cost } => {
                unavailable(plain(exit_of(tried.last.code)), tried, *cost)
            }
            SdkError::Protocol { error: inner, .. } => protocol(&plain, inner),
            SdkError::NoEntropy | SdkError::Worker { .. } => plain(exit::FAILED),
        };
        let (name, text) = match error.cost() {
            Cost::Unsigned => ("none", "none, as the gateway says; nobody signed that"),
            Cost::None => ("none", "none"),
            Cost::Charged => ("charged", "1 attempt"),
            Cost::Unknown => {
                ("unknown", "unknown; the request was sent, so 1 attempt may be charged")
            }
        };
        failure.costing(name, text)
    }
}

fn exit_of(code: CarryCode) -> u8 {
    match code {
        CarryCode::BundleRefused => exit::FLEET_KEY,
        CarryCode::Superseded => exit::BUSY,
        CarryCode::NoQuorum | CarryCode::Timeout => exit::NO_QUORUM,
        CarryCode::Busy | CarryCode::Limited => exit::BUSY,
        CarryCode::Unreachable
        | CarryCode::Unauthenticated
        | CarryCode::Malformed
        | CarryCode::TicketRefused
        | CarryCode::Device
        | CarryCode::Other => exit::FAILED,
    }
}

fn unavailable(mut failure: Failure, tried: &Unavailable, cost: Cost) -> Failure {
    if tried.last.code == CarryCode::NoQuorum {
        failure.message = format!("no quorum: {}", failure.message);
    }
    let hint = match tried.last.code {
        CarryCode::NoQuorum | CarryCode::Timeout if cost.name() != "none" => {
            "`strongroom status` shows the signed count; wait before you retry"
        }
        CarryCode::NoQuorum | CarryCode::Timeout => "wait until enough nodes are back, then retry",
        CarryCode::Unauthenticated => "the token in the profile has expired or is another user's",
        CarryCode::TicketRefused => "the token belongs to another account than the one asked for",
        CarryCode::Malformed => "is the manifest in the profile the fleet's current one?",
        CarryCode::Unreachable => "check the gateway's address in the profile, and the network",
        CarryCode::BundleRefused => {
            "do not enter the password anywhere; report this to whoever made this app. `strongroom \
             verify` shows the whole history"
        }
        CarryCode::Superseded => "run the command again: it goes to the new manifest",
        CarryCode::Busy | CarryCode::Limited => "retry in a minute",
        CarryCode::Device => {
            "without it an older manifest could be passed off as today's; look at that file, then retry"
        }
        CarryCode::Other => "retry; if it stays, show the request id to whoever runs the gateway",
    };
    let id = tried.last.request_id.clone();
    failure.hint(hint).fact("tries", tried.tries).fact("request_id", id)
}

fn protocol(plain: &impl Fn(u8) -> Failure, error: &ProtocolError) -> Failure {
    match error {
        ProtocolError::Refused { why, generation, by } => {
            refused(plain, *why, *generation).fact("signed_by", node(by))
        }
        error => match error.blame() {
            Blame::Destination => plain(exit::FLEET_KEY)
                .hint("get the current manifest from whoever made this app; nothing was sent"),
            Blame::FleetKey => plain(exit::FLEET_KEY)
                .hint("do not enter the password anywhere; report this to whoever made this app"),
            Blame::Answer => plain(exit::FLEET_KEY).hint(
                "somebody between here and the fleet changes answers, or the fleet is broken",
            ),
            Blame::Refusal | Blame::Bug => {
                plain(exit::FAILED).hint("this is a defect; please report it")
            }
        },
    }
}

fn refused(plain: &impl Fn(u8) -> Failure, why: Refusal, generation: u64) -> Failure {
    match why {
        Refusal::NoRecord => plain(exit::NO_RECORD).hint("`strongroom enroll` stores a key"),
        Refusal::RowSpent => plain(exit::LOCKED).hint("wait until the row may begin anew"),
        Refusal::NotOwner => plain(exit::FAILED)
            .hint("another device recovered or replaced the key; `strongroom recover` makes this one its owner"),
        Refusal::GenerationMoved => plain(exit::FAILED)
            .hint("another device changed the password; `strongroom recover` with the new one")
            .fact("generation", generation),
        Refusal::FleetFull => plain(exit::BUSY).hint("the fleet's operator has to make room"),
        Refusal::Replayed | Refusal::TicketSpent | Refusal::EntryUnknown => {
            plain(exit::FAILED).hint("run the command again")
        }
        Refusal::DevicesFull | Refusal::BadMessage | Refusal::OtherFleet => plain(exit::FAILED),
    }
}

/// "3 of 10 left (signed by node syd-1)".
pub(crate) fn left(budget: &Budget, row: u8, by: &Voucher) -> String {
    let year = if budget.year_left < budget.row_left {
        format!(", {} this year", budget.year_left)
    } else {
        String::new()
    };
    format!("{} of {row} left{year} (signed by node {})", budget.row_left, name(by))
}

/// A node as people name it: its site and number.
pub(crate) fn name(by: &Voucher) -> String {
    format!("{}-{}", by.site, by.node)
}

/// A node as programs name it.
pub(crate) fn node(by: &Voucher) -> Value {
    json!({"node": by.node, "site": by.site, "index": by.index, "now_ms": by.now_ms})
}

/// When the next attempt is accepted, if not at once.
fn wait_hint(budget: &Budget, by: &Voucher) -> Option<String> {
    let wait = budget.next_ms.checked_sub(by.now_ms).filter(|ms| *ms > 0)?;
    Some(format!(
        "the next attempt is accepted in {}, at {}; {LAST_WARNING}",
        time::duration(wait),
        time::utc(budget.next_ms)
    ))
}

impl From<DevError> for Failure {
    fn from(error: DevError) -> Self {
        let failure = Self::new(error.exit_code, "dev", error.message);
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<strongroom_backup::Error> for Failure {
    fn from(error: strongroom_backup::Error) -> Self {
        use strongroom_backup::{Blame, Error};
        let (exit_code, code) = match &error {
            Error::NoRepository { .. } => (exit::NO_RECORD, "no_repository"),
            Error::Locked { .. } => (exit::BUSY, "repository_locked"),
            Error::WrongKey { .. } => (exit::WRONG_PASSWORD, "wrong_key"),
            Error::Partial { .. } => (exit::PARTIAL, "partial"),
            Error::Cancelled => (exit::CANCELLED, "cancelled"),
            other => match other.blame() {
                Blame::Caller => (exit::USAGE, "usage"),
                Blame::Environment => (exit::FAILED, "machine"),
                Blame::Repository => (exit::FAILED, "damaged"),
                Blame::Outcome => (exit::PARTIAL, "partial"),
                Blame::Bug => (exit::FAILED, "internal"),
            },
        };
        let failure = Self::new(exit_code, code, error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
