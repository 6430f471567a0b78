//! What the adversary can do, one name each, and which of it was done.

use crate::plan::Dice;
use std::{fmt, str::FromStr};

macro_rules! acts {
    ($(#[doc = $doc:literal] $name:ident,)*) => {
        /// One kind of act.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Act {
            $(#[doc = $doc] $name,)*
        }

        impl Act {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name by which people and files call it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

acts! {
    /// A process is killed.
    Crash,
    /// A process is killed and started again, on the disk that it had.
    Restart,
    /// The same, on an older disk.
    OldDisk,
    /// The same, on an empty one.
    EmptyDisk,
    /// The same, on a torn one.
    TornDisk,
    /// The same, on one with a bit flipped.
    FlippedDisk,
    /// The same, on one that lost its newest entries.
    CutDisk,
    /// The same, on another node's.
    ForeignDisk,
    /// The same, with an older state of the hardware's cell.
    OldCell,
    /// A node's hardware does not answer for a while.
    SickHardware,
    /// Two processes of one node, on copies of one disk.
    Fork,
    /// A forked node's frames go another way.
    Reroute,
    /// One of a node's two processes ends.
    Settle,
    /// The newer of a node's two processes, let in by some, hears nothing any more.
    Starve,
    /// A process is stopped by a signal.
    Stop,
    /// A stopped process gets a successor beside it.
    Succeed,
    /// A stopped process goes on.
    Resume,
    /// Nothing passes to and from a node.
    CutOff,
    /// Nothing passes from a node.
    CutOneWay,
    /// Two groups do not hear each other.
    Split,
    /// All cuts heal.
    Heal,
    /// A node's frames take long.
    Lag,
    /// A clock lies.
    LieAboutTime,
    /// Frames that were kept are delivered again.
    ReplayFrames,
    /// Whoever leads is killed.
    KillLeader,
    /// Whoever leads is cut off.
    CutLeader,
    /// Whoever leads is stopped.
    StopLeader,
    /// Power loss everywhere.
    PowerLoss,
    /// A process is asked where it stands, for custodians.
    AskPosition,
    /// Custodians are shown too few positions, or those of empty disks, and sign.
    Mislead,
    /// Requests reach a leader of a new era before anything else does.
    Rush,
    /// A frame between vaults is lost.
    LoseFrame,
    /// A frame between vaults arrives twice.
    RepeatFrame,
    /// A frame between vaults overtakes those before it.
    ReorderFrame,
    /// A frame between vaults is damaged.
    CorruptFrame,
    /// A frame between vaults goes to another node, or comes from another.
    CrossWire,
    /// A process is killed right at a durable step.
    CrashAtStep,
    /// An answer is lost after it left a vault.
    LoseAnswer,
    /// A request is held back.
    Hoard,
    /// A finish is held up for longer than what it ends is open.
    Outwait,
    /// Requests that were held back are delivered.
    Release,
    /// A request takes long.
    DelayRequest,
    /// A request is handed to several nodes at once.
    SpreadRequest,
    /// A request that was seen is handed in again.
    ReplayRequest,
    /// With a last attempt begins a stranger's registration, in the same moment; another voids it later.
    Accompany,
    /// A ticket that no gateway signed.
    ForgeTicket,
    /// The operator guesses.
    Guess,
    /// The operator guesses again, as soon as it may.
    Besiege,
    /// The operator registers somebody's slot.
    Register,
    /// The operator signs a command with a key of its own.
    Command,
    /// A user takes part; not the adversary's, but a run can do without one.
    TakePart,
}

impl Act {
    /// What happens to frames between vaults, thousands of times in a run.
    pub const ON_FRAMES: [Self; 5] = [
        Self::LoseFrame,
        Self::RepeatFrame,
        Self::ReorderFrame,
        Self::CorruptFrame,
        Self::CrossWire,
    ];
}

/// The n-th time in a run that the dice of one kind of act said yes. It names the same deed in a run
/// from which others were taken away, as far as the world is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deed {
    /// What.
    pub act: Act,
    /// From 0.
    pub number: u64,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.act.name(), self.number)
    }
}

impl FromStr for Deed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem =
            || format!("{text:?} is no deed: expected an act and a number, as in Crash:3");
        let (name, number) = text.split_once(':').ok_or_else(problem)?;
        let act = Act::ALL.iter().find(|act| act.name() == name).ok_or_else(problem)?;
        Ok(Self { act: *act, number: number.parse().map_err(|_| problem())? })
    }
}

/// The dice of every kind of act, each its own: what one kind draws changes nothing for another.
pub(crate) struct Deeds {
    seed: u64,
    kinds: Vec<(Dice, u64)>,
}

impl Deeds {
    pub(crate) fn new(seed: u64) -> Self {
        let kind = |act: &Act| (Dice::of(seed, DRAWS, *act as u64, 0), 0);
        Self { seed, kinds: Act::ALL.iter().map(kind).collect() }
    }

    /// Whether an act happens that does so in `thousandths` of a thousand cases.
    pub(crate) fn draw(&mut self, act: Act, thousandths: u64) -> Option<Deed> {
        let (dice, done) = self.kinds.get_mut(act as usize)?;
        let deed = Deed { act, number: *done };
        let happens = dice.chance(thousandths);
        *done += u64::from(happens);
        happens.then_some(deed)
    }

    /// What a deed draws for its own details.
    pub(crate) fn details(&self, deed: Deed) -> Dice {
        Dice::of(self.seed, DETAILS, deed.act as u64, deed.number)
    }
}

/// Purposes of dice.
const DRAWS: u8 = 16;
const DETAILS: u8 = 17;

#[cfg(test)]
mod tests {
    use super::{Act, Deed, Deeds};

    #[test]
    fn a_deed_has_one_name() {
        for act in Act::ALL {
            let deed = Deed { act: *act, number: 12 };
            assert_eq!(deed.to_string().parse(), Ok(deed));
            assert_eq!(Act::ALL.iter().filter(|other| other.name() == act.name()).count(), 1);
        }
        for wrong in
            ["", "Crash", "Crash:", "Crash:-1", "crash:1", "Crush:1", "Crash:1:2", "Crash: 1"]
        {
            let said = wrong.parse::<Deed>().expect_err(wrong);
            assert!(said.contains("Crash:3"), "{said}");
        }
    }

    #[test]
    fn what_one_kind_draws_changes_nothing_for_another() {
        let mut alone = Deeds::new(5);
        let mut beside = Deeds::new(5);
        let lone: Vec<_> = (0..50).map(|_| alone.draw(Act::Crash, 300)).collect();
        let busy = (0..50).map(|n| {
            for _ in 0..n {
                beside.draw(Act::Fork, 500);
            }
            beside.draw(Act::Crash, 300)
        });
        assert_eq!(busy.collect::<Vec<_>>(), lone);
        let happened: Vec<_> = lone.into_iter().flatten().collect();
        assert!(happened.len() > 5);
        assert!(happened.iter().enumerate().all(|(at, deed)| deed.number == at as u64));
    }
}
