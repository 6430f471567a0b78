//! The same targets on the stable toolchain: without coverage, from the corpus, in bounded time.

use crate::{Target, corpus, join, split};
use mutatis::Session;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// Largest input.
const INPUT_MAX: usize = 256 * 1024;

/// How an input is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As bytes.
    Bytes,
    /// As pieces: whole ones come, go, move and change.
    Pieces,
}

/// What a run found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The target.
    pub target: &'static str,
    /// Inputs that ran.
    pub runs: u64,
    /// Inputs that were accepted: a run in which nothing was accepted tested little.
    pub accepted: u64,
    /// Inputs to begin with.
    pub seeds: usize,
    /// The first input that broke a property, and what the panic said.
    pub crash: Option<(Vec<u8>, String)>,
}

/// Runs the corpus and the seeds, then changed inputs until `at_most` has passed or `runs` ran.
/// One seed gives one sequence of inputs.
pub fn short_run(target: &'static Target, seed: u64, runs: u64, at_most: Duration) -> Found {
    let began = Instant::now();
    let mut inputs: Vec<Vec<u8>> =
        corpus(target.name).into_iter().map(|(_, bytes)| bytes).chain((target.seeds)()).collect();
    inputs.push(Vec::new());
    let mut found =
        Found { target: target.name, runs: 0, accepted: 0, seeds: inputs.len(), crash: None };
    for input in &inputs {
        found.run(target, input);
    }
    let mut session = Session::new().seed(seed);
    let mut at = 0;
    while found.crash.is_none() && found.runs < runs && began.elapsed() < at_most {
        let mut input = inputs[at % inputs.len()].clone();
        at += 1;
        for _ in 0..1 + at % 4 {
            change(&mut session, target.shape, &mut input);
        }
        input.truncate(INPUT_MAX);
        // What is accepted is a place to go on from; without coverage that is all there is.
        if found.run(target, &input) && inputs.len() < 4_096 {
            inputs.push(input);
        }
    }
    found
}

impl Found {
    fn run(&mut self, target: &Target, input: &[u8]) -> bool {
        if self.crash.is_some() {
            return false;
        }
        self.runs += 1;
        match catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
            Ok(accepted) => {
                self.accepted += u64::from(accepted);
                accepted
            }
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("a panic");
                self.crash = Some((input.to_vec(), text.to_owned()));
                false
            }
        }
    }
}

fn change(session: &mut Session, shape: Shape, input: &mut Vec<u8>) {
    // An input that cannot be changed further stays as it is.
    match shape {
        Shape::Bytes => drop(session.mutate(input)),
        Shape::Pieces => {
            let mut pieces: Vec<Vec<u8>> = split(input).into_iter().map(<[u8]>::to_vec).collect();
            drop(session.mutate(&mut pieces));
            *input = join(&pieces);
        }
    }
}
