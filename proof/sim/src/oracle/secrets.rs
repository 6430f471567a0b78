//! What no host may ever see.

use super::Oracle;

impl Oracle {
    /// A secret that only devices may ever hold.
    pub fn guard_secret(&mut self, secret: &[u8]) {
        if let Some(prefix) = secret.first_chunk::<8>() {
            self.secrets.insert(*prefix);
            self.first_bytes.resize(1 << 16, false);
            self.first_bytes[start(prefix)] = true;
        }
    }

    /// INV-10: no host carries or keeps a password or a backup key.
    pub fn inv10_secret_in(&mut self, what: &str, bytes: &[u8]) {
        if self.secrets.is_empty() {
            return;
        }
        let seen = bytes.windows(8).any(|window| {
            window.first_chunk::<8>().is_some_and(|prefix| {
                self.first_bytes[start(prefix)] && self.secrets.contains(prefix)
            })
        });
        if seen {
            self.fail("INV-10", "secret", format!("a secret is in {what}"));
        }
    }
}

fn start(prefix: &[u8; 8]) -> usize {
    usize::from(prefix[0]) << 8 | usize::from(prefix[1])
}
