//! What a person types, in the one form that is hashed: account names and passwords.
//!
//! * **What it is.** RFC 8265 for both. Account names follow `UsernameCaseMapped`; passwords follow
//!   `OpaqueString`, widened to today's emoji (`docs/decisions/0002-password-profile.md`).
//! * **What it may assume.** That the text is what a keyboard or an identity provider gave, in UTF-8.
//! * **What it must never do.** Map one text to different bytes in two versions: that would lock a
//!   person out and spend attempts. When in doubt it refuses, which costs nothing.

#![forbid(unsafe_code)]

mod account;
mod character;
mod password;

pub use account::{Account, AccountError};
pub use character::Unfit;
pub use password::{PASSWORD_LEN_MAX, Password, PasswordError};
