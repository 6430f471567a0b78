//! What the adversary can do, one name each.

/// One kind of act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
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
}
