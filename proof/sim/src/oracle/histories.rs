//! One order of a slot's operations explains every answer.

use super::Oracle;
use strongroom_history::{Checked, Operation, Rules, check};

impl Oracle {
    /// INV-5: whoever asks sees one history of each slot (spec §18).
    pub fn inv5_linearizable(&mut self, operations: &[Operation], rules: &Rules) -> Checked {
        check(operations, rules).unwrap_or_else(|story| {
            self.inv5_broken("linearizable", story.to_string());
            Checked { operations: operations.len() as u64, slots: 1, ..Checked::default() }
        })
    }
}
