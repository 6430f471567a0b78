//! What is destroyed is gone, and what is kept is there.

use super::Oracle;

impl Oracle {
    /// INV-7: after erasure, a destroyed record's salt is in no vault that says so.
    pub fn inv7_erased(&mut self, found: bool, story: String) {
        if found {
            self.fail("INV-7", "erased", story);
        }
    }

    /// INV-8: what a user was told is stored comes back.
    pub fn inv8_kept(&mut self, kept: bool, story: String) {
        self.inv8("kept", kept, story);
    }

    /// INV-8: a record hangs on its own row's last attempt, and on no other record's.
    pub fn inv8_held(&mut self, held: usize, open: usize) {
        let story =
            format!("{held} records hang on a last attempt, and {open} last attempts are open");
        self.inv8("held", held == open, story);
    }

    pub(super) fn inv8(&mut self, checker: &'static str, kept: bool, story: String) {
        if !kept {
            self.fail("INV-8", checker, story);
        }
    }
}
