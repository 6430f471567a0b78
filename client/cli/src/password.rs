//! Where passwords come from, and which are too easy.

use crate::{args::PasswordSource, failure::Failure, interrupt};
use std::{
    fs::File,
    io::{BufRead as _, BufReader, ErrorKind, IsTerminal as _, Read},
    path::Path,
    process::{Command, Stdio},
};
use strongroom_sdk::Password;
use zeroize::Zeroizing;

/// More than any password or key file has.
const SOURCE_LEN_MAX: u64 = 64 * 1_024;
/// Ten attempts guard a password of this length that is not a common one.
const CHARACTERS_MIN: usize = 8;

/// The first guesses of everybody who guesses, beyond the length above.
const COMMON: [&str; 44] = [
    "00000000",
    "11111111",
    "12121212",
    "12341234",
    "12344321",
    "123123123",
    "12345678",
    "123456789",
    "1234567890",
    "147258369",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "87654321",
    "987654321",
    "aa123456",
    "abc12345",
    "abcd1234",
    "abcdefgh",
    "asdfghjkl",
    "baseball",
    "changeme",
    "computer",
    "football",
    "iloveyou",
    "internet",
    "letmein1",
    "p@ssw0rd",
    "passw0rd",
    "password",
    "password1",
    "password123",
    "princess",
    "q1w2e3r4",
    "qwerty12",
    "qwerty123",
    "qwertyui",
    "qwertyuiop",
    "starwars",
    "sunshine",
    "superman",
    "trustno1",
    "welcome1",
    "whatever",
];

impl PasswordSource {
    /// Whether a person is asked.
    pub(crate) fn is_prompt(&self) -> bool {
        self.password_file.is_none()
            && self.password_command.is_none()
            && self.password_fd.is_none()
    }

    /// Gets the password, once.
    pub(crate) fn read(&self, question: &str) -> Result<Password, Failure> {
        let typed = match self {
            Self { password_file: Some(path), .. } => first_line_of_file(path)?,
            Self { password_command: Some(command), .. } => first_line_of_command(command)?,
            Self { password_fd: Some(descriptor), .. } => {
                first_line_of_file(Path::new(&format!("/dev/fd/{descriptor}")))?
            }
            _ => prompt(question)?,
        };
        prepare(&typed)
    }

    /// Gets a new password: a person types it twice.
    pub(crate) fn read_new(&self, account: &str, allow_weak: bool) -> Result<Password, Failure> {
        let password = self.read("New password")?;
        if !allow_weak && let Some(why) = weakness(&password, account) {
            return Err(Failure::usage(format!("weak password: {why}"))
                .hint(format!(
                    "take at least {CHARACTERS_MIN} characters that nobody would guess in ten \
                     attempts; --allow-weak takes this one all the same"
                ))
                .free());
        }
        if self.is_prompt() && *prompt("The same again")? != *password.as_str() {
            let again = prepare(&prompt("They differ; once more")?)?;
            if again.as_bytes() != password.as_bytes() {
                return Err(Failure::usage("the two passwords differ").free());
            }
        }
        Ok(password)
    }
}

fn prepare(typed: &str) -> Result<Password, Failure> {
    Password::prepare(typed).map_err(|e| {
        Failure::usage(e.to_string())
            .hint("nothing was sent; type it without that character")
            .free()
    })
}

/// Why a password is too easy, if it is.
fn weakness(password: &Password, account: &str) -> Option<&'static str> {
    let plain = Zeroizing::new(password.as_str().to_lowercase());
    let name = account.split('@').next().unwrap_or(account);
    if password.characters() < CHARACTERS_MIN {
        return Some("it is too short");
    }
    let mut characters = plain.chars();
    let first = characters.next();
    if characters.all(|c| Some(c) == first) {
        return Some("it is one character over and over");
    }
    if COMMON.contains(&plain.as_str()) {
        return Some("it is one of the first that anybody would try");
    }
    if !name.is_empty() && (plain.as_str() == account || plain.as_str() == name) {
        return Some("it is the account's name");
    }
    None
}

fn no_terminal() -> Failure {
    Failure::usage("no password: standard input is not a terminal")
        .hint("use --password-file, --password-command or --password-fd")
        .free()
}

/// Asks on the terminal, without showing what is typed.
pub(crate) fn prompt(question: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(no_terminal());
    }
    interrupt::during_prompt(|| rpassword::prompt_password(format!("{question}: ")))
        .map(Zeroizing::new)
        .map_err(|e| match e.kind() {
            ErrorKind::Interrupted => Failure::declined(),
            _ => Failure::machine(format!("cannot read from the terminal: {e}")).free(),
        })
}

/// Asks a question that is answered in the open; nothing if nobody is there.
pub(crate) fn ask(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    eprint!("{question}: ");
    let mut answer = String::new();
    interrupt::during_prompt(|| std::io::stdin().read_line(&mut answer)).ok()?;
    Some(answer.trim().to_owned())
}

/// A file's first line, without its line end.
pub(crate) fn first_line_of_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |e| Failure::usage(format!("cannot read {}: {e}", path.display())).free();
    let file = File::open(path).map_err(failed)?;
    first_line(file).map_err(failed)
}

pub(crate) fn first_line(source: impl Read) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(256));
    BufReader::new(source.take(SOURCE_LEN_MAX)).read_line(&mut line)?;
    if line.ends_with('\n') {
        line.pop();
        if line.ends_with('\r') {
            line.pop();
        }
    }
    Ok(line)
}

fn first_line_of_command(command: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |why: String| Failure::usage(format!("--password-command: {why}")).free();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    let stdout = child.stdout.take().ok_or_else(|| failed("no output".to_owned()))?;
    let line = first_line(stdout).map_err(|e| failed(e.to_string()))?;
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    // A command that failed may have printed half a password, or an error in its place.
    if !status.success() {
        return Err(failed(format!("the command ended with {status}")));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weak(password: &str) -> bool {
        let password = Password::prepare(password).expect("a password");
        weakness(&password, "carol.jones@example.com").is_some()
    }

    #[test]
    fn the_first_guesses_are_refused() {
        for easy in ["short", "1234", "PASSWORD", "Qwerty123", "aaaaaaaaaa", "carol.jones"] {
            assert!(weak(easy), "{easy}");
        }
        for fine in ["correct horse", "🦀 crab 🦀 crab", "carol.jones's cat"] {
            assert!(!weak(fine), "{fine}");
        }
    }

    #[test]
    fn a_source_gives_its_first_line_without_the_line_end() {
        for (text, line) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\nmore\n", "secret"),
            (" spaces count \n", " spaces count "),
            ("", ""),
        ] {
            assert_eq!(first_line(text.as_bytes()).expect("read").as_str(), line);
        }
    }
}
