//! Account and password preparation (spec §16): where its vectors are, and what they end in.

use crate::vector::{Case, File};
use strongroom_account::{Account, AccountError, Password, PasswordError};

const ACCOUNTS: [&str; 5] = ["alice", "Alice@Example.COM", "\u{ff21}lice", "foo bar", ""];
const PASSWORDS: [&str; 6] =
    ["Correct Horse", "a\u{a0}b", "zoe\u{308}", "\u{2764}\u{fe0f}", "a\u{200d}b", ""];

pub(crate) fn file() -> File {
    let file = File::new(
        "account.json",
        "16-ksf-and-passwords.md",
        "Account names and passwords: a selection; the whole set is in boundary/account/vectors/.",
    );
    let file = ACCOUNTS.into_iter().fold(file, |file, typed| match Account::normalise(typed) {
        Ok(account) => file.case(
            Case::named("account")
                .text("typed", typed)
                .hex("prepared", account.as_str())
                .hex("hash", account.hash().0.0),
        ),
        Err(error) => file.refused(typed, "account", typed.as_bytes(), account_error(&error)),
    });
    PASSWORDS.into_iter().fold(file, |file, typed| match Password::prepare(typed) {
        Ok(password) => file.case(
            Case::named("password").text("typed", typed).hex("prepared", password.as_bytes()),
        ),
        Err(error) => file.refused(typed, "password", typed.as_bytes(), password_error(&error)),
    })
}

fn account_error(error: &AccountError) -> String {
    match error {
        AccountError::Empty => "Empty".to_owned(),
        AccountError::TooLong { .. } => "TooLong".to_owned(),
        AccountError::Character { at, why } => format!("Character {at}: {why:?}"),
        AccountError::Direction => "Direction".to_owned(),
        AccountError::Unstable => "Unstable".to_owned(),
    }
}

fn password_error(error: &PasswordError) -> String {
    match error {
        PasswordError::Empty => "Empty".to_owned(),
        PasswordError::TooLong { .. } => "TooLong".to_owned(),
        PasswordError::Character { at, why } => format!("Character {at}: {why:?}"),
    }
}
