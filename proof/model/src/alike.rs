//! Nodes are alike: states that differ only in which node is which are one.

use crate::fleet::{Disk, Entry, Name, Process, State, node_of};

/// Which place each node moves to.
type Places = Vec<usize>;

/// The least of all states that renaming the nodes gives.
pub(crate) fn renamed(state: State) -> State {
    let count = state.nodes.len();
    let mut order: Vec<usize> = (0..count).collect();
    let shapes: Vec<Shape> = (0..count).map(|at| Shape::of(&state, at)).collect();
    order.sort_by(|a, b| shapes[*a].cmp(&shapes[*b]));
    // Nodes of one shape may still differ in whom they mean: all their orders are tried.
    let mut best: Option<State> = None;
    orders(&mut order, 0, &shapes, &mut |order| {
        let mut places: Places = vec![0; count];
        for (place, node) in order.iter().enumerate() {
            places[*node] = place;
        }
        let candidate = apply(&state, &places);
        if best.as_ref().is_none_or(|best| candidate < *best) {
            best = Some(candidate);
        }
    });
    best.unwrap_or(state)
}

/// What a node is, without any other node's name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    nonce: u8,
    processes: Vec<[usize; 8]>,
    disks: usize,
    top: (u8, usize),
    led: Vec<(u8, u8)>,
}

impl Shape {
    fn of(state: &State, at: usize) -> Self {
        let node = &state.nodes[at];
        let process = |p: &Process| {
            let own = p.dealt.get(at).copied().unwrap_or(0) % 16;
            let voted = p.voted.map_or(0, |who| 1 + usize::from(node_of(who) == at));
            let kind = voted * 8 + p.role as usize;
            let (name, term) = (usize::from(p.name % 16), usize::from(p.disk.term));
            let (votes, matched) = (p.votes.len(), p.matched.len());
            [kind, name, term, own.into(), p.disk.log.len(), p.commit, votes, matched]
        };
        let led =
            |(era, term, who): &(u8, u8, Name)| (node_of(*who) == at).then_some((*era, *term));
        Self {
            nonce: node.nonce,
            processes: node.processes.iter().map(process).collect(),
            disks: node.history.len(),
            top: node.top,
            led: state.leaders.iter().filter_map(led).collect(),
        }
    }
}

/// Every order in which only neighbours of one shape change places.
fn orders(order: &mut Vec<usize>, from: usize, shapes: &[Shape], each: &mut impl FnMut(&[usize])) {
    if from == order.len() {
        each(order);
        return;
    }
    for next in from..order.len() {
        if shapes[order[next]] != shapes[order[from]] {
            break;
        }
        order.swap(from, next);
        orders(order, from + 1, shapes, each);
        order.swap(from, next);
    }
}

fn rename(name: Name, places: &Places) -> Name {
    if name == 0 { 0 } else { u8::try_from(places[node_of(name)] * 16).unwrap_or(0) + name % 16 }
}

fn seats(dealt: &[Name], places: &Places) -> Vec<Name> {
    let mut moved = vec![0; dealt.len()];
    for (at, name) in dealt.iter().enumerate() {
        moved[places[at]] = rename(*name, places);
    }
    moved
}

fn disk(disk: &mut Disk, places: &Places) {
    for entry in &mut disk.log {
        if let Entry::Enter { name, .. } = entry {
            *name = rename(*name, places);
        }
    }
}

fn process(p: &mut Process, places: &Places) {
    p.name = rename(p.name, places);
    disk(&mut p.disk, places);
    p.voted = p.voted.map(|name| rename(name, places));
    p.dealt = seats(&p.dealt, places);
    p.votes.iter_mut().for_each(|name| *name = rename(*name, places));
    p.votes.sort_unstable();
    p.matched.iter_mut().for_each(|(name, _)| *name = rename(*name, places));
    p.matched.sort_unstable();
}

fn apply(state: &State, places: &Places) -> State {
    let mut moved = state.clone();
    for (at, node) in state.nodes.iter().enumerate() {
        let mut node = node.clone();
        node.processes.iter_mut().for_each(|p| process(p, places));
        node.history.iter_mut().for_each(|kept| disk(kept, places));
        moved.nodes[places[at]] = node;
    }
    moved.leaders.iter_mut().for_each(|(.., name)| *name = rename(*name, places));
    moved.leaders.sort_unstable();
    moved.told.iter_mut().for_each(|(name, told)| {
        *name = rename(*name, places);
        disk(told, places);
    });
    moved.told.sort_unstable();
    moved
}

#[cfg(test)]
mod tests {
    use super::renamed;
    use crate::{Bounds, Fleet};
    use stateright::Model as _;

    #[test]
    fn a_state_is_what_its_renamings_are() {
        // From every state a few steps deep: rename it before or after a step, and it is one state.
        let bounds = Bounds { nodes: 3, terms: 2, charges: 1, boots: 1, starts: 1, forks: true };
        let plain = Fleet { bounds, mutant: None, renames: false };
        let mut layer = plain.init_states();
        let mut seen = 0;
        for _ in 0..4 {
            let mut next = Vec::new();
            for state in &layer {
                let mut moves = Vec::new();
                plain.actions(state, &mut moves);
                let canonical = renamed(state.clone());
                assert_eq!(renamed(canonical.clone()), canonical, "not the least");
                let mut there = Vec::new();
                plain.actions(&canonical, &mut there);
                assert_eq!(moves.len(), there.len(), "a renamed state can do something else");
                let outcome = |from: &crate::State, moves: Vec<crate::Move>| {
                    let mut all: Vec<crate::State> = moves
                        .into_iter()
                        .filter_map(|step| plain.next_state(from, step))
                        .map(renamed)
                        .collect();
                    all.sort_unstable();
                    all
                };
                next.extend(moves.iter().filter_map(|step| plain.next_state(state, step.clone())));
                assert_eq!(outcome(state, moves), outcome(&canonical, there));
                seen += 1;
            }
            layer = next;
        }
        assert!(seen > 100, "only {seen} states");
    }
}
