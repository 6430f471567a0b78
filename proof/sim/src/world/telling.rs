//! What a run tells of itself, to whoever keeps a trace. Nothing here changes what happens.

use super::{Event, World, adversary::STRANGER};
use crate::{
    acts::Deed,
    hardware::WorldClock,
    trace::{Detail, Entry, Kind, Notes, State},
};
use std::{cell::RefCell, rc::Rc};

/// What is left of a world.
pub(crate) struct Witness {
    pub(crate) notes: Rc<Notes>,
    pub(crate) deeds: Rc<RefCell<Vec<Deed>>>,
    pub(crate) clock: Rc<RefCell<WorldClock>>,
}

/// Of whom something is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About {
    /// A place where a process runs.
    Place(usize),
    /// A user or a thief.
    Asker(usize),
    /// Everybody.
    Fleet,
}

impl World {
    /// From now on, what happens is noted, beside what was done and what time it is: all of it outlives
    /// the world, should that end in a panic.
    pub(crate) fn note_down(&mut self, detail: Detail) -> Witness {
        self.notes = Rc::new(Notes::new(detail));
        let (notes, deeds) = (Rc::clone(&self.notes), Rc::clone(&self.deeds));
        Witness { notes, deeds, clock: Rc::clone(&self.clock) }
    }

    pub(crate) fn say(&self, kind: Kind, about: About, text: impl FnOnce() -> String) {
        if self.notes.wants(kind) {
            let entry = Entry { ms: self.now(), kind, text: text(), ..Entry::default() };
            self.notes.add(self.entry_about(about, entry));
        }
    }

    fn entry_about(&self, about: About, entry: Entry) -> Entry {
        match about {
            About::Place(place) => {
                Entry { node: Some(self.number(place)), twin: place >= self.count(), ..entry }
            }
            About::Asker(asker) => Entry { user: self.owner_of(asker), ..entry },
            About::Fleet => entry,
        }
    }

    /// What a story calls whoever asks.
    pub(crate) fn asker(&self, asker: usize) -> String {
        match self.owner_of(asker) {
            Some(user) if user == asker => format!("user {user}"),
            Some(user) => format!("the thief of user {user}"),
            None if asker == STRANGER => "a stranger".to_owned(),
            None => "a probe".to_owned(),
        }
    }

    /// A message that arrives.
    pub(crate) fn tell_event(&self, event: &Event) {
        if !self.notes.wants(Kind::Wire) {
            return;
        }
        match event {
            Event::Frame { from, to, bytes } => {
                let text = || format!("a frame of {} bytes from node {from}", bytes.len());
                self.say(Kind::Wire, About::Place(*to), text);
            }
            Event::Persisted { node, number, ops, .. } => {
                let text = || format!("batch {number} of {} writes is durable", ops.len());
                self.say(Kind::Wire, About::Place(*node), text);
            }
            Event::Request { node, user, frame_number, frame, .. } => {
                let (who, size) = (self.asker(*user), frame.len());
                let text = || format!("frame {frame_number} of {who}, {size} bytes");
                self.say(Kind::Wire, About::Place(*node), text);
            }
            Event::Answer { user, frame_number, reply, .. } => {
                let size = reply.len();
                let text = || format!("an answer of {size} bytes to frame {frame_number}");
                self.say(Kind::Wire, About::Asker(*user), text);
            }
            Event::Timeout { .. }
            | Event::Tick { .. }
            | Event::Wake { .. }
            | Event::Fault { .. }
            | Event::Rush { .. }
            | Event::Watch => {}
        }
    }

    /// How a process is, if that is news.
    pub(crate) fn tell_state(&mut self, place: usize) {
        if !self.notes.wants(Kind::State) {
            return;
        }
        let at = &self.nodes[place];
        let state = match (&at.vault, &at.health) {
            (Some(_), Some(health)) => State {
                process: at.process,
                role: if at.stopped { "stopped".to_owned() } else { health.role.clone() },
                era: health.era,
                term: health.term,
                applied: health.applied,
                voters: health.voters.clone(),
            },
            (running, _) => State {
                process: at.process,
                role: if running.is_some() { "boots" } else { "down" }.to_owned(),
                era: 0,
                term: 0,
                applied: 0,
                voters: Vec::new(),
            },
        };
        if self.nodes[place].noted.as_ref() == Some(&state) {
            return;
        }
        self.nodes[place].noted = Some(state.clone());
        let text = format!("{} is {}", self.name(place), state.role);
        let entry = Entry {
            ms: self.now(),
            kind: Kind::State,
            text,
            state: Some(state),
            ..Entry::default()
        };
        self.notes.add(self.entry_about(About::Place(place), entry));
    }
}
