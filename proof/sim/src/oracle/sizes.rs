//! What is seen from outside has one size.

use super::Oracle;

impl Oracle {
    /// INV-3: all answers have one size; all entries of users have one size.
    pub fn inv3_sizes(&mut self, answer: Option<usize>, entry: Option<usize>) {
        self.answer_sizes.extend(answer);
        self.entry_sizes.extend(entry);
        if self.answer_sizes.len() > 1 {
            let sizes = format!("answers of sizes {:?}", self.answer_sizes);
            self.fail("INV-3", "answer-size", sizes);
        }
        // Besides users' entries there are a new leader's empty one and changes of the
        // configuration, which depend on no user.
        let large = self.entry_sizes.iter().filter(|size| **size > 700).count();
        if large > 1 {
            let sizes = format!("entries of sizes {:?}", self.entry_sizes);
            self.fail("INV-3", "entry-size", sizes);
        }
    }
}
