//! What a command says: sentences for people, one JSON object a line for programs.

use serde_json::{Value, json};

/// Speaks one of the two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    json: bool,
}

impl Voice {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Says one thing that happened. `facts` are for programs; the sentence is for both.
    pub(crate) fn say(self, message_type: &str, sentence: &str, facts: Value) {
        if !self.json {
            println!("{sentence}");
            return;
        }
        let mut line = json!({"message_type": message_type, "message": sentence});
        if let (Some(line), Some(facts)) = (line.as_object_mut(), facts.as_object()) {
            line.extend(facts.clone());
        }
        println!("{line}");
    }

    /// Says something that only people need.
    pub(crate) fn tell(self, sentence: &str) {
        if !self.json {
            println!("{sentence}");
        }
    }
}
