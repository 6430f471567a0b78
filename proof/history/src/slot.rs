//! One slot as its clients see it: which answers are possible, and what is then (spec §18.2).

use crate::{Answer, Call, Rules};

/// A receipt lists so many failures at most, the attempt itself counted among them (spec §10.1).
const LISTED: u64 = 10;

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    generation: u64,
    key: u64,
    password: u64,
}

/// Everything that an answer depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    record: Option<Record>,
    /// The generation that the record replaced.
    replaced: Option<u64>,
    /// The highest generation stored.
    top: u64,
    /// Charged ever.
    attempts: u64,
    /// The last attempt that succeeded. All since have failed, or are open.
    success: u64,
    /// Attempts of this row.
    row: u64,
    /// The open attempt's number and password.
    open: Option<(u64, u64)>,
    /// What waits to replace the record.
    announced: Option<Record>,
    locked: bool,
}

impl Slot {
    /// What may be after this answer to this call; nothing, if it cannot be given.
    pub(crate) fn answered(&self, call: &Call, answer: &Answer, rules: &Rules) -> Vec<Self> {
        let mut after = self.at_once(call, answer, rules);
        // What time does by itself may come first.
        for passed in self.passed(rules) {
            for state in passed.at_once(call, answer, rules) {
                if !after.contains(&state) {
                    after.push(state);
                }
            }
        }
        after
    }

    /// What may be after an answer that tells of a replacement which took effect since the call announced
    /// it: nothing changes, if that is how the slot stands.
    pub(crate) fn told_late(&self, call: &Call, answer: &Answer, rules: &Rules) -> Vec<Self> {
        let Call::RegisterFinish { generation, key, password, .. } = *call else {
            return Vec::new();
        };
        let Answer::Registered { generation: told, destroyed, .. } = answer else {
            return Vec::new();
        };
        let record = Some(Record { generation, key, password });
        let stands = |slot: &Self| {
            slot.record == record && *told == generation && slot.replaced == *destroyed
        };
        let mut after = vec![self.clone()];
        after.extend(self.passed(rules));
        after.retain(stands);
        after
    }

    /// What may be after this call, if nobody knows what was answered; without what is already.
    pub(crate) fn unknown(&self, call: &Call, rules: &Rules) -> Vec<Self> {
        let mut after = self.effects(call, rules);
        for passed in self.passed(rules) {
            after.extend(passed.effects(call, rules));
        }
        after
    }

    /// Whether an attempt was charged between that slot and this one.
    pub(crate) const fn charged_since(&self, before: &Self) -> bool {
        self.attempts > before.attempts
    }

    /// A held attempt expires, then an announced replacement takes effect: nobody who lost a record
    /// to failures has spoken against it.
    fn passed(&self, rules: &Rules) -> Vec<Self> {
        let held = self.open.is_some() && self.row >= rules.row;
        let mut after = Vec::new();
        // What a host handed in again may be the attempt that was held.
        if self.record.is_some() && (held || !rules.exact) {
            after.push(self.locked());
        }
        let replaced = after.iter().chain([self]).flat_map(|slot| slot.replaced(rules));
        let replaced: Vec<Self> = replaced.collect();
        after.extend(replaced);
        after
    }

    /// The announced replacement's time has come. A spent row asks for a grant.
    fn replaced(&self, rules: &Rules) -> Vec<Self> {
        let Some(record) = self.announced else { return Vec::new() };
        let void = Self { announced: None, ..self.clone() };
        let anew = Self { row: 0, ..self.stored(record) };
        match (rules.exact, self.row >= rules.row) {
            (true, false) => vec![self.stored(record)],
            _ => vec![anew, void],
        }
    }

    fn locked(&self) -> Self {
        Self { record: None, open: None, locked: true, ..self.clone() }
    }

    fn stored(&self, record: Record) -> Self {
        Self {
            record: Some(record),
            replaced: self.record.map(|before| before.generation),
            top: self.top + 1,
            open: None,
            announced: None,
            locked: false,
            ..self.clone()
        }
    }

    fn at_once(&self, call: &Call, answer: &Answer, rules: &Rules) -> Vec<Self> {
        let same = |possible: bool| if possible { vec![self.clone()] } else { Vec::new() };
        match (call, answer) {
            // It did nothing. Another copy may (spec §18.1).
            (_, Answer::Refused | Answer::Closed) => same(true),
            (Call::RegisterStart, Answer::RegisterStarted { generation, occupied }) => {
                same(*generation == self.top + 1 && *occupied == self.record.is_some())
            }
            (Call::RegisterFinish { generation: offered, .. }, Answer::Registered { .. }) => {
                self.registered(call, *offered, answer, rules)
            }
            (Call::RecoverStart { password }, Answer::Charged { number, fits }) => {
                self.charged(*password, *number, *fits, rules)
            }
            (Call::RecoverStart { .. }, Answer::Wait) => same(self.record.is_some()),
            (Call::RecoverFinish { number, password }, Answer::Recovered { .. }) => {
                self.recovered(*number, *password, answer)
            }
            (Call::RecoverFinish { number, password }, Answer::WrongPassword) => {
                let wrong = self.record.is_some_and(|record| record.password != *password);
                let last = rules.exact && self.row >= rules.row;
                let named = self.open == Some((*number, *password));
                let over = Self { open: None, ..self.clone() };
                if named && wrong && !last { vec![over] } else { Vec::new() }
            }
            (Call::RecoverFinish { number, password }, Answer::Locked) => {
                let wrong = self.record.is_some_and(|record| record.password != *password);
                let last = !rules.exact || self.row >= rules.row;
                if self.open == Some((*number, *password)) && wrong && last {
                    return vec![self.locked()];
                }
                same(self.record.is_none() && self.locked)
            }
            (Call::RecoverFinish { .. }, Answer::NoRecord) => {
                same(self.record.is_none() && !self.locked)
            }
            (Call::Budget, Answer::Done) => same(true),
            (Call::Status { .. } | Call::Destroy { .. }, Answer::Done) => self.effects(call, rules),
            _ => Vec::new(),
        }
    }

    fn registered(&self, call: &Call, offered: u64, answer: &Answer, rules: &Rules) -> Vec<Self> {
        let Answer::Registered { generation, destroyed, announced } = answer else {
            return Vec::new();
        };
        let before = self.record.map(|record| record.generation);
        let possible = *generation == offered && (*announced || *destroyed == before);
        let waits = |after: &Self| after.record == self.record;
        let after = self.effects(call, rules).into_iter();
        after.filter(|after| possible && waits(after) == *announced).collect()
    }

    fn charged(&self, password: u64, number: u64, fits: bool, rules: &Rules) -> Vec<Self> {
        let Some(record) = self.record else {
            // A stand-in: it costs nothing and fits nobody.
            return if number == 1 && !fits { vec![self.clone()] } else { Vec::new() };
        };
        let next = if rules.exact { number == self.attempts + 1 } else { number > self.attempts };
        let room = !rules.exact || self.row < rules.row;
        if !next || !room || fits != (record.password == password) {
            return Vec::new();
        }
        let (attempts, row) = (number, self.row + u64::from(rules.exact));
        vec![Self { attempts, row, open: Some((number, password)), ..self.clone() }]
    }

    fn recovered(&self, number: u64, password: u64, answer: &Answer) -> Vec<Self> {
        let (Some(record), Answer::Recovered { generation, key, failures }) = (self.record, answer)
        else {
            return Vec::new();
        };
        let told =
            (record.generation, record.key, record.password) == (*generation, *key, password);
        let listed = self.failures(number) == *failures;
        if self.open != Some((number, password)) || !told || !listed {
            return Vec::new();
        }
        vec![self.succeeded(number)]
    }

    /// Failures since the last success, as a receipt of this attempt lists them.
    fn failures(&self, number: u64) -> u64 {
        number.saturating_sub(self.success).min(LISTED).saturating_sub(1)
    }

    fn succeeded(&self, number: u64) -> Self {
        Self { success: number, row: 0, open: None, announced: None, ..self.clone() }
    }

    /// Everything that the call may do, whatever is answered.
    fn effects(&self, call: &Call, rules: &Rules) -> Vec<Self> {
        match *call {
            Call::RegisterStart | Call::Budget => Vec::new(),
            Call::RegisterFinish { generation, key, password, authority } => {
                if generation != self.top + 1 {
                    return Vec::new();
                }
                let record = Record { generation, key, password };
                if self.record.is_some() && !authority {
                    return vec![Self { announced: Some(record), ..self.clone() }];
                }
                let stored = self.stored(record);
                let anew = Self { row: 0, ..stored.clone() };
                if anew == stored { vec![stored] } else { vec![anew, stored] }
            }
            Call::RecoverStart { password } => match self.record {
                Some(record) => {
                    let fits = record.password == password;
                    self.charged(password, self.attempts + 1, fits, rules)
                }
                None => Vec::new(),
            },
            Call::RecoverFinish { number, password } => {
                let Some(record) = self.record.filter(|_| self.open == Some((number, password)))
                else {
                    return Vec::new();
                };
                match (record.password == password, rules.exact) {
                    (true, _) => vec![self.succeeded(number)],
                    (false, true) if self.row >= rules.row => vec![self.locked()],
                    (false, true) => vec![Self { open: None, ..self.clone() }],
                    (false, false) => {
                        vec![Self { open: None, ..self.clone() }, self.locked()]
                    }
                }
            }
            // Whoever acts for a record that is no more is nobody.
            Call::Status { generation } | Call::Destroy { generation }
                if self.record.is_none_or(|record| record.generation != generation) =>
            {
                Vec::new()
            }
            Call::Status { .. } => vec![Self { announced: None, ..self.clone() }],
            Call::Destroy { .. } => {
                let gone = Self { record: None, open: None, announced: None, ..self.clone() };
                vec![Self { locked: false, ..gone }]
            }
        }
    }
}
