//! Two signed statements that cannot both be true, in one file that anybody can judge (spec §23.6).
//!
//! What makes a file evidence is only what pinned keys signed. A proof that fails, a false signature or a
//! file that is missing is somebody's word against another's and has no place here.

use crate::{
    history::{Read, check_date, check_leaf},
    leaf::{LEAF_LEN_MAX, Leaf},
    statement::Statement,
    trust::Trust,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use strongroom_manifest::{CustodianKeys, Hex};
use strongroom_tlog::{
    Hash, Note, SignedCheckpoint, TreeHead, caps, leaf_hash, merkle,
    merkle::NodeReader,
    tiles::{TileSource, VerifiedTiles},
    verify_cosignature,
};

/// The largest evidence file that is read, in bytes.
pub const EVIDENCE_LEN_MAX: usize = 524_288;

/// The version that this code reads and writes.
const VERSION: u32 = 1;

/// Bytes of any number, as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HexBytes(Vec<u8>);

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > 2 * LEAF_LEN_MAX || text.contains(|sign: char| sign.is_ascii_uppercase()) {
            return Err(D::Error::custom(
                "expected lower-case hexadecimal digits of a leaf at most",
            ));
        }
        hex::decode(&text).map(Self).map_err(|_| D::Error::custom("expected hexadecimal digits"))
    }
}

/// A statement and the auditor's signature over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedStatement {
    signature: Hex<64>,
    statement: HexBytes,
}

/// A leaf and its path to a checkpoint that travels beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Included {
    leaf: HexBytes,
    path: Vec<Hex<32>>,
}

/// A leaf in a tree that a log signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedLeaf {
    checkpoint: String,
    index: u64,
    leaf: HexBytes,
    path: Vec<Hex<32>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
enum Claim {
    TwoRoots { first: String, second: String },
    Inconsistent { first: String, other_root: Hex<32>, proof: Vec<Hex<32>>, second: String },
    TwoStatements { first: SignedStatement, second: SignedStatement },
    StatementAgainstLeaf { logged: LoggedLeaf, signature: Hex<64>, statement: HexBytes },
    BrokenLeaf { audit_signature: Option<Hex<64>>, before: Option<Included>, logged: LoggedLeaf },
}

/// A file that says: these cannot both be true. Nothing is believed before [`Evidence::check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    claim: Claim,
    namespace: String,
    origin: String,
    version: u32,
}

/// Whom evidence accuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accused {
    /// `log`, `auditor` or `witness`.
    pub role: &'static str,
    /// The name of its key, or the key itself where keys have no name.
    pub name: String,
}

/// What evidence proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// As in the file.
    pub kind: &'static str,
    /// Who signed what contradicts itself.
    pub accused: Vec<Accused>,
    /// What it is, for people.
    pub what: String,
}

/// Why a file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoProof {
    /// More bytes than evidence may have.
    #[error("evidence of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Not evidence; where reading stopped.
    #[error("not an evidence file: unexpected content at line {line}, column {column}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A version that this code does not read.
    #[error("evidence of version {got}, expected {expected}")]
    Version {
        /// The file's.
        got: u32,
        /// This code's.
        expected: u32,
    },
    /// About somebody else.
    #[error("evidence about {got}, the trust file pins {expected}")]
    Other {
        /// Namespace and origin of the file.
        got: String,
        /// Pinned.
        expected: String,
    },
    /// The pinned log did not sign a checkpoint.
    #[error("the pinned log did not sign the {which} checkpoint")]
    NotTheLog {
        /// `first`, `second`, `leaf's`.
        which: &'static str,
    },
    /// No pinned auditor key signed a statement.
    #[error("no pinned auditor key signed the {which} statement")]
    NotTheAuditor {
        /// `first`, `second` or `one`.
        which: &'static str,
    },
    /// A leaf is not where the file says.
    #[error("the {which} is not in the tree of the checkpoint at its index")]
    NotIncluded {
        /// `leaf` or `leaf before`.
        which: &'static str,
    },
    /// Both may be true.
    #[error("nothing contradicts: {0}")]
    NoContradiction(&'static str),
}

impl Evidence {
    fn of(claim: Claim, trust: &Trust) -> Option<Self> {
        let (namespace, origin) = (trust.file().namespace.clone(), trust.origin().to_owned());
        let evidence = Self { claim, namespace, origin, version: VERSION };
        // Read back and judged, so that nothing is handed out that proves nothing.
        let read = Self::parse(&evidence.to_bytes()).ok()?;
        read.check(trust).is_ok().then_some(read)
    }

    /// Two checkpoints of one size with different roots; none if they are not that.
    pub fn two_roots(
        first: &SignedCheckpoint,
        second: &SignedCheckpoint,
        trust: &Trust,
    ) -> Option<Self> {
        Self::of(Claim::TwoRoots { first: text(first)?, second: text(second)? }, trust)
    }

    /// Two checkpoints of which the larger's tree does not begin with the smaller's. `tree` reads the
    /// larger's.
    pub fn inconsistent<R: NodeReader>(
        first: &SignedCheckpoint,
        second: &SignedCheckpoint,
        tree: &R,
        trust: &Trust,
    ) -> Option<Self> {
        let (old, new) = (first.checkpoint().size(), second.checkpoint().size());
        let other_root = merkle::root(tree, old).ok()?;
        let proof = merkle::prove_consistency(tree, old, new).ok()?;
        let claim = Claim::Inconsistent {
            first: text(first)?,
            other_root: Hex(other_root.0),
            proof: proof.into_iter().map(|hash| Hex(hash.0)).collect(),
            second: text(second)?,
        };
        Self::of(claim, trust)
    }

    /// Two statements of the auditor about one epoch.
    pub fn two_statements(
        first: (&Statement, &[u8; 64]),
        second: (&Statement, &[u8; 64]),
        trust: &Trust,
    ) -> Option<Self> {
        let signed = |(statement, signature): (&Statement, &[u8; 64])| SignedStatement {
            signature: Hex(*signature),
            statement: HexBytes(statement.to_bytes()),
        };
        let (first, second) = (signed(first), signed(second));
        Self::of(Claim::TwoStatements { first, second }, trust)
    }

    /// A statement of the auditor that is not the one in its log.
    pub fn statement_against_leaf<S: TileSource>(
        (statement, signature): (&Statement, &[u8; 64]),
        signed: &SignedCheckpoint,
        tiles: &VerifiedTiles<S>,
        trust: &Trust,
    ) -> Option<Self> {
        let logged = logged(signed, tiles, statement.epoch.checked_sub(1)?)?;
        let (signature, statement) = (Hex(*signature), HexBytes(statement.to_bytes()));
        Self::of(Claim::StatementAgainstLeaf { logged, signature, statement }, trust)
    }

    /// A leaf that breaks a rule. `audit` is the auditor's signature over its statement, which matters
    /// where the fault is the date of the key.
    pub fn broken_leaf<S: TileSource>(
        epoch: u64,
        audit: Option<&[u8; 64]>,
        signed: &SignedCheckpoint,
        tiles: &VerifiedTiles<S>,
        trust: &Trust,
    ) -> Option<Self> {
        let index = epoch.checked_sub(1)?;
        let before = match index.checked_sub(1) {
            Some(before) => {
                let LoggedLeaf { leaf, path, .. } = logged(signed, tiles, before)?;
                Some(Included { leaf, path })
            }
            None => None,
        };
        let logged = logged(signed, tiles, index)?;
        let bare = Claim::BrokenLeaf { audit_signature: None, before, logged };
        if let Some(evidence) = Self::of(bare.clone(), trust) {
            return Some(evidence);
        }
        let Claim::BrokenLeaf { before, logged, .. } = bare else { return None };
        let audit_signature = Some(Hex(*audit?));
        Self::of(Claim::BrokenLeaf { audit_signature, before, logged }, trust)
    }

    /// Reads a file: its size first, then its shape.
    ///
    /// # Errors
    /// [`NoProof`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoProof> {
        if bytes.len() > EVIDENCE_LEN_MAX {
            return Err(NoProof::TooLong { got: bytes.len(), cap: EVIDENCE_LEN_MAX });
        }
        let evidence: Self = serde_json::from_slice(bytes)
            .map_err(|e| NoProof::Malformed { line: e.line(), column: e.column() })?;
        if evidence.version != VERSION {
            return Err(NoProof::Version { got: evidence.version, expected: VERSION });
        }
        Ok(evidence)
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        // The types hold only numbers, strings, lists and structures, which always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What it proves to whoever pins these keys.
    ///
    /// # Errors
    /// [`NoProof`]: it proves nothing.
    pub fn check(&self, trust: &Trust) -> Result<Proven, NoProof> {
        let names = |namespace: &str, origin: &str| format!("{namespace} in the log {origin}");
        let pinned = (trust.file().namespace.as_str(), trust.origin());
        if (self.namespace.as_str(), self.origin.as_str()) != pinned {
            let got = names(&self.namespace, &self.origin);
            return Err(NoProof::Other { got, expected: names(pinned.0, pinned.1) });
        }
        match &self.claim {
            Claim::TwoRoots { first, second } => two_roots(first, second, trust),
            Claim::Inconsistent { first, other_root, proof, second } => {
                inconsistent((first, second), other_root, proof, trust)
            }
            Claim::TwoStatements { first, second } => two_statements(first, second, trust),
            Claim::StatementAgainstLeaf { logged, signature, statement } => {
                statement_against_leaf(statement, signature, logged, trust)
            }
            Claim::BrokenLeaf { audit_signature, before, logged } => {
                broken_leaf(logged, before.as_ref(), audit_signature.as_ref(), trust)
            }
        }
    }
}

fn text(signed: &SignedCheckpoint) -> Option<String> {
    String::from_utf8(signed.to_bytes()).ok()
}

fn logged<S: TileSource>(
    signed: &SignedCheckpoint,
    tiles: &VerifiedTiles<S>,
    index: u64,
) -> Option<LoggedLeaf> {
    let leaf = HexBytes(tiles.entry(index).ok()?);
    let path = merkle::prove_inclusion(tiles, index, signed.checkpoint().size()).ok()?;
    let path = path.into_iter().map(|hash| Hex(hash.0)).collect();
    Some(LoggedLeaf { checkpoint: text(signed)?, index, leaf, path })
}

fn checkpoint(note: &str, which: &'static str, trust: &Trust) -> Result<SignedCheckpoint, NoProof> {
    let not = NoProof::NotTheLog { which };
    let note = Note::parse(note.as_bytes()).map_err(|_| not.clone())?;
    SignedCheckpoint::verify(note, trust.log()).map_err(|_| not)
}

fn statement(
    bytes: &HexBytes,
    signature: &Hex<64>,
    which: &'static str,
    trust: &Trust,
) -> Result<(Statement, Accused), NoProof> {
    let not = NoProof::NotTheAuditor { which };
    let statement = Statement::parse(&bytes.0).ok_or(not.clone())?;
    let key = trust.auditor_of(&bytes.0, &signature.0).ok_or(not)?;
    Ok((statement, Accused { role: "auditor", name: hex::encode(key.public_key.0) }))
}

fn hashes(path: &[Hex<32>]) -> Vec<Hash> {
    path.iter().take(caps::PROOF_HASHES_MAX + 1).map(|hash| Hash(hash.0)).collect()
}

fn included(
    leaf: &HexBytes,
    index: u64,
    path: &[Hex<32>],
    head: &TreeHead,
    which: &'static str,
) -> Result<Hash, NoProof> {
    let hash = leaf_hash(&leaf.0);
    merkle::verify_inclusion(&hash, index, head, &hashes(path))
        .map_err(|_| NoProof::NotIncluded { which })?;
    Ok(hash)
}

fn the_log(trust: &Trust) -> Accused {
    Accused { role: "log", name: trust.origin().to_owned() }
}

/// The log, and every pinned witness that cosigned both of what cannot both be.
fn log_and_witnesses(
    first: &SignedCheckpoint,
    second: &SignedCheckpoint,
    trust: &Trust,
) -> Vec<Accused> {
    let mut accused = vec![the_log(trust)];
    for witness in trust.policy().witnesses() {
        let cosigned = |signed: &SignedCheckpoint| {
            let mut lines = signed.note().signatures().iter();
            lines.any(|line| verify_cosignature(signed.checkpoint(), line, witness.key()).is_ok())
        };
        if cosigned(first) && cosigned(second) {
            accused.push(Accused { role: "witness", name: witness.key().name().to_owned() });
        }
    }
    accused
}

fn two_roots(first: &str, second: &str, trust: &Trust) -> Result<Proven, NoProof> {
    let first = checkpoint(first, "first", trust)?;
    let second = checkpoint(second, "second", trust)?;
    let (a, b) = (first.checkpoint().head(), second.checkpoint().head());
    if a.size != b.size {
        return Err(NoProof::NoContradiction("the checkpoints are of different sizes"));
    }
    if a.root == b.root {
        return Err(NoProof::NoContradiction("the checkpoints have one root"));
    }
    let what = format!(
        "the log signed two trees of {} leaves, with the roots {} and {}",
        a.size, a.root, b.root
    );
    Ok(Proven { kind: "two_roots", accused: log_and_witnesses(&first, &second, trust), what })
}

fn inconsistent(
    (first, second): (&str, &str),
    other_root: &Hex<32>,
    proof: &[Hex<32>],
    trust: &Trust,
) -> Result<Proven, NoProof> {
    let first = checkpoint(first, "first", trust)?;
    let second = checkpoint(second, "second", trust)?;
    let (a, b) = (first.checkpoint().head(), second.checkpoint().head());
    let other = TreeHead { size: a.size, root: Hash(other_root.0) };
    if other.root == a.root {
        return Err(NoProof::NoContradiction("the second tree begins with the first"));
    }
    if a.size >= b.size {
        return Err(NoProof::NoContradiction("the second checkpoint is not the larger"));
    }
    // Not that a proof for the first root fails, which anybody can arrange: that one for another root
    // holds.
    merkle::verify_consistency(&other, &b, &hashes(proof))
        .map_err(|_| NoProof::NoContradiction("the proof for the other root does not hold"))?;
    let what = format!(
        "the log signed a tree of {} leaves with the root {}, and one of {} leaves whose first {} make {}",
        a.size, a.root, b.size, a.size, other.root
    );
    Ok(Proven { kind: "inconsistent", accused: log_and_witnesses(&first, &second, trust), what })
}

fn two_statements(
    first: &SignedStatement,
    second: &SignedStatement,
    trust: &Trust,
) -> Result<Proven, NoProof> {
    let (a, one) = statement(&first.statement, &first.signature, "first", trust)?;
    let (b, other) = statement(&second.statement, &second.signature, "second", trust)?;
    if (&a.namespace, a.epoch) != (&b.namespace, b.epoch) || a.namespace != trust.file().namespace {
        return Err(NoProof::NoContradiction(
            "the statements are of different epochs or namespaces",
        ));
    }
    if a == b {
        return Err(NoProof::NoContradiction("the statements are the same"));
    }
    let mut accused = vec![one, other];
    accused.dedup();
    let what = format!(
        "the auditor signed two statements for epoch {}: digest {:?} at {} ms, digest {:?} at {} ms",
        a.epoch,
        Hex(a.digest),
        a.timestamp_ms,
        Hex(b.digest),
        b.timestamp_ms
    );
    Ok(Proven { kind: "two_statements", accused, what })
}

fn statement_against_leaf(
    bytes: &HexBytes,
    signature: &Hex<64>,
    logged: &LoggedLeaf,
    trust: &Trust,
) -> Result<Proven, NoProof> {
    let (said, auditor) = statement(bytes, signature, "one", trust)?;
    let signed = checkpoint(&logged.checkpoint, "leaf's", trust)?;
    included(&logged.leaf, logged.index, &logged.path, &signed.checkpoint().head(), "leaf")?;
    if said.namespace != trust.file().namespace || said.epoch.checked_sub(1) != Some(logged.index) {
        return Err(NoProof::NoContradiction("the statement is of another epoch or namespace"));
    }
    let leaf = Leaf::parse(trust.origin(), &logged.leaf.0);
    if leaf.is_some_and(|leaf| leaf.statement == said) {
        return Err(NoProof::NoContradiction("the leaf holds this statement"));
    }
    let what = format!(
        "the auditor signed for epoch {} digest {:?} at {} ms, and its log holds another statement there",
        said.epoch,
        Hex(said.digest),
        said.timestamp_ms
    );
    Ok(Proven { kind: "statement_against_leaf", accused: vec![auditor, the_log(trust)], what })
}

fn broken_leaf(
    logged: &LoggedLeaf,
    before: Option<&Included>,
    audit: Option<&Hex<64>>,
    trust: &Trust,
) -> Result<Proven, NoProof> {
    let signed = checkpoint(&logged.checkpoint, "leaf's", trust)?;
    let head = signed.checkpoint().head();
    let hash = included(&logged.leaf, logged.index, &logged.path, &head, "leaf")?;
    let read = |leaf: &HexBytes, hash| Read::of(trust.origin(), leaf.0.clone(), hash);
    let before = match (logged.index.checked_sub(1), before) {
        (None, None) => None,
        (Some(index), Some(before)) => {
            let hash = included(&before.leaf, index, &before.path, &head, "leaf before")?;
            Some(read(&before.leaf, hash))
        }
        _ => return Err(NoProof::NotIncluded { which: "leaf before" }),
    };
    let custodians = before.as_ref().and_then(Read::leaf).map(|(_, m, _)| &m.custodians);
    let keys = CustodianKeys::new(custodians.unwrap_or(&trust.file().custodians));
    let epoch = logged.index.saturating_add(1);
    let leaf = read(&logged.leaf, hash);
    if let Err(fault) = check_leaf(epoch, before.as_ref(), &keys, &leaf, trust) {
        let what = format!("the log holds at epoch {epoch} what it must not: {fault}");
        return Ok(Proven { kind: "broken_leaf", accused: vec![the_log(trust)], what });
    }
    // Nothing is wrong with the leaf then: whoever signed its statement too early did so beside the log.
    let early = || {
        let (leaf, ..) = leaf.leaf()?;
        let signature = &audit?.0;
        let fault = check_date(leaf, signature, trust)?.err()?;
        Some((trust.auditor_of(&leaf.statement.to_bytes(), signature)?.public_key, fault))
    };
    let Some((key, fault)) = early() else {
        return Err(NoProof::NoContradiction("the leaf keeps every rule"));
    };
    let what = format!("an auditor's key signed at epoch {epoch} what it must not: {fault}");
    let accused = vec![Accused { role: "auditor", name: hex::encode(key.0) }];
    Ok(Proven { kind: "broken_leaf", accused, what })
}
