//! What talks to a fleet, or is about the key.

pub(crate) mod change;
pub(crate) mod destroy;
pub(crate) mod enroll;
pub(crate) mod key;
pub(crate) mod recover;
pub(crate) mod status;
pub(crate) mod verify;

use crate::{Context, connect::Connection, failure};
use serde_json::{Value, json};
use strongroom_sdk::{Enrolled, Owner, Timings};

use crate::{failure::Failure, home::Device};

/// Where the time went, for programs.
fn timings(timings: &Timings) -> Value {
    let ms = |span: std::time::Duration| (span.as_secs_f64() * 100_000.0).round() / 100.0;
    json!({
        "argon2_ms": ms(timings.argon2),
        "network_ms": ms(timings.network),
        "total_ms": ms(timings.total),
    })
}

/// The same for people, who asked.
fn timings_line(cx: &Context, timings: &Timings) -> String {
    if !cx.timings {
        return String::new();
    }
    format!(
        "\n  time: {:.1} ms (Argon2id {:.1} ms, network {:.1} ms)",
        timings.total.as_secs_f64() * 1_000.0,
        timings.argon2.as_secs_f64() * 1_000.0,
        timings.network.as_secs_f64() * 1_000.0,
    )
}

/// A registration's receipt, for programs.
fn receipt(enrolled: &Enrolled, connection: &Connection) -> Value {
    let receipt = &enrolled.receipt;
    json!({
        "account": connection.account.as_str(),
        "fleet": connection.fleet(),
        "protection": connection.protection(),
        "generation": receipt.generation,
        "destroyed_generation": receipt.destroyed,
        "effective_ms": receipt.effective_ms,
        "attempts_left": receipt.budget.row_left,
        "attempts_left_year": receipt.budget.year_left,
        "signed_by": failure::node(&enrolled.by),
        "timings": timings(&enrolled.timings),
    })
}

/// The device as the fleet knows it, with counters for one command.
fn owner(device: &mut Device, generation: u64) -> Result<Owner, Failure> {
    Ok(Owner { key: device.key()?, generation, counter: device.take_counters() })
}
