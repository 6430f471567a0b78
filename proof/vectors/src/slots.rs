//! Slots (spec §3).

use crate::{
    vector::{Case, File},
    world::World,
};
use strongroom_account::Account;
use strongroom_wire::{AccountHash, Slot, caps};

pub(crate) fn file(_: &World) -> File {
    let cases = [
        ("an account of an app", "chat", "alice@example.com"),
        ("another app, another slot", "notes", "alice@example.com"),
        ("a name before it is normalised", "chat", "Alice@Example.COM"),
        ("lengths keep these two apart: one", "chat", "pro:alice"),
        ("lengths keep these two apart: two", "chatpro", ":alice"),
    ];
    let cases = cases.map(|(name, app, typed)| {
        let account = Account::normalise(typed).expect("account");
        Case::named(name)
            .text("app", app)
            .text("typed", typed)
            .text("account", account.as_str())
            .hex("account_hash", account.hash().0.0)
            .hex("slot", Slot::of(app, &account.hash()).as_bytes())
    });
    assert!(AccountHash::of("").is_none());
    let long = "a".repeat(caps::ACCOUNT_LEN_MAX + 1);
    assert!(AccountHash::of(&long).is_none());
    File::new(
        "slot.json",
        "03-slot.md",
        "Slots: SHA-256 over label, app and account hash, each with its length.",
    )
    .cases(cases)
    .refused("no account", "account", b"", "nothing is hashed")
    .refused("321 bytes", "account", long.as_bytes(), "nothing is hashed")
}
