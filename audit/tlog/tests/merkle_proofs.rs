//! Proofs over random trees, across tile boundaries, and inputs that the library must not see.

mod world;

use proptest::prelude::*;
use strongroom_tlog::{
    EMPTY_ROOT, Hash, TreeHead, leaf_hash,
    merkle::{
        Frontier, NoSuchNode, NodeReader, ProofError, ProveError, SIZE_MAX, Tree,
        prove_consistency, prove_inclusion, root, verify_consistency, verify_inclusion,
    },
    node_hash,
};

/// MTH as RFC 6962 §2.1 defines it, by its own recursion.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

#[test]
fn roots_are_those_of_the_definition() {
    let leaves: Vec<Hash> = (0..520).map(|index| leaf_hash(&world::entry(index))).collect();
    let tree = world::tree(520);
    let mut frontier = Frontier::default();
    for size in 0..=leaves.len() {
        let expected = TreeHead { size: size as u64, root: mth(&leaves[..size]) };
        assert_eq!(frontier.head(), expected);
        assert_eq!(tree.head_at(size as u64), Ok(expected));
        if let Some(leaf) = leaves.get(size) {
            frontier.push(*leaf);
        }
    }
    assert_eq!(tree.head(), frontier.head());
    let missing = Err(ProveError::Read(NoSuchNode { level: 0, index: 520 }));
    assert_eq!(tree.head_at(521), missing);
    assert_eq!(tree.node(9, 1), Err(NoSuchNode { level: 9, index: 1 }));
    assert_eq!(tree.node(255, u64::MAX), Err(NoSuchNode { level: 255, index: u64::MAX }));
}

#[test]
fn leaves_and_nodes_are_apart() {
    // SHA-256 of one zero byte, and of 0x01 and two zero hashes.
    let leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(hex::encode(leaf_hash(b"").0), leaf);
    let zero = Hash([0; 32]);
    assert_ne!(node_hash(&zero, &zero), leaf_hash(&[0; 64]));
    assert_eq!(zero.to_string(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(Hash::from_base64(&zero.to_string()), Some(zero));
    for bad in [
        "",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(Hash::from_base64(bad), None, "{bad}");
    }
}

#[test]
fn sizes_and_lengths_out_of_range_are_refused_and_nothing_panics() {
    let zero = Hash([0; 32]);
    let head = |size| TreeHead { size, root: zero };
    let sizes = [0, 1, 2, 3, 255, 256, SIZE_MAX, SIZE_MAX + 1, 1 << 63, u64::MAX - 1, u64::MAX];
    for size in sizes {
        for other in sizes {
            for len in [0, 1, 8, 62, 63] {
                let proof = vec![zero; len];
                let included = verify_inclusion(&zero, other, &head(size), &proof);
                if other >= size {
                    assert!(matches!(included, Err(ProofError::IndexBeyondTree { .. })));
                } else if size > 1 {
                    assert!(matches!(included, Err(ProofError::Inclusion { .. })));
                }
                let consistent = verify_consistency(&head(other), &head(size), &proof);
                match consistent {
                    Ok(()) => assert!(other == size && size > 0 && len == 0, "{other}, {size}"),
                    Err(ProofError::OldBeyondNew { .. }) => assert!(other > size),
                    Err(ProofError::Consistency { .. }) => assert!(other <= size),
                    Err(error) => panic!("{error}"),
                }
            }
            let long = vec![zero; 64];
            let refused = verify_consistency(&head(other.min(size)), &head(size), &long);
            assert_eq!(refused, Err(ProofError::TooManyHashes { got: 64, cap: 63 }));
        }
        let tree = Tree::default();
        if size > SIZE_MAX {
            let too_large = ProveError::TooLarge { got: size, max: SIZE_MAX };
            assert_eq!(root(&tree, size), Err(too_large.clone()));
            assert_eq!(prove_inclusion(&tree, 0, size), Err(too_large.clone()));
            assert_eq!(prove_consistency(&tree, 1, size), Err(too_large));
        } else if size > 1 {
            assert!(matches!(root(&tree, size), Err(ProveError::Read(_))));
            assert!(matches!(prove_inclusion(&tree, 0, size), Err(ProveError::Read(_))));
        }
    }
    let tree = world::tree(3);
    let refused = prove_inclusion(&tree, 3, 3);
    assert_eq!(refused, Err(ProveError::Input(ProofError::IndexBeyondTree { index: 3, size: 3 })));
    let refused = prove_consistency(&tree, 3, 2);
    assert_eq!(refused, Err(ProveError::Input(ProofError::OldBeyondNew { old: 3, new: 2 })));
}

#[test]
fn every_tree_begins_with_the_empty_one_and_only_with_the_true_one() {
    let tree = world::tree(5);
    assert_eq!(prove_consistency(&tree, 0, 5), Ok(Vec::new()));
    assert_eq!(verify_consistency(&TreeHead::EMPTY, &tree.head(), &[]), Ok(()));
    assert_eq!(verify_consistency(&TreeHead::EMPTY, &TreeHead::EMPTY, &[]), Ok(()));
    let false_empty = TreeHead { size: 0, root: Hash([1; 32]) };
    assert!(verify_consistency(&false_empty, &tree.head(), &[]).is_err());
    assert!(verify_consistency(&TreeHead::EMPTY, &false_empty, &[]).is_err());
    assert!(verify_consistency(&TreeHead::EMPTY, &tree.head(), &[EMPTY_ROOT]).is_err());
}

/// A size, and two places in it.
fn places() -> impl Strategy<Value = (u64, u64, u64)> {
    (1_u64..700).prop_flat_map(|size| (Just(size), 0..size, 1..=size))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn proofs_verify_and_any_change_is_refused(
        (size, index, old) in places(),
        at in any::<prop::sample::Index>(),
        bit in 0_usize..256,
        extra in any::<[u8; 32]>(),
    ) {
        let tree = world::tree(size);
        let (head, old_head) = (tree.head(), tree.head_at(old).expect("a size"));
        let leaf = leaf_hash(&world::entry(index));
        let path = prove_inclusion(&tree, index, size).expect("a path");
        prop_assert_eq!(verify_inclusion(&leaf, index, &head, &path), Ok(()));
        let proof = prove_consistency(&tree, old, size).expect("a proof");
        prop_assert_eq!(verify_consistency(&old_head, &head, &proof), Ok(()));

        let changed = |hashes: &[Hash]| {
            let mut hashes = hashes.to_vec();
            let at = at.index(hashes.len());
            hashes[at].0[bit / 8] ^= 1 << (bit % 8);
            hashes
        };
        if !path.is_empty() {
            prop_assert!(verify_inclusion(&leaf, index, &head, &changed(&path)).is_err());
            prop_assert!(verify_inclusion(&leaf, index, &head, &path[1..]).is_err());
        }
        if !proof.is_empty() {
            prop_assert!(verify_consistency(&old_head, &head, &changed(&proof)).is_err());
            prop_assert!(verify_consistency(&old_head, &head, &proof[1..]).is_err());
        }
        for longer in [[path.as_slice(), &[Hash(extra)]].concat(), [&[Hash(extra)], path.as_slice()].concat()] {
            prop_assert!(verify_inclusion(&leaf, index, &head, &longer).is_err());
        }
        for longer in [[proof.as_slice(), &[Hash(extra)]].concat(), [&[Hash(extra)], proof.as_slice()].concat()] {
            prop_assert!(verify_consistency(&old_head, &head, &longer).is_err());
        }
        let other = (index + 1) % size;
        if other != index {
            prop_assert!(verify_inclusion(&leaf, other, &head, &path).is_err());
        }
        if old != size {
            prop_assert!(verify_consistency(&head, &old_head, &proof).is_err());
            let swapped = TreeHead { root: head.root, ..old_head };
            prop_assert!(verify_consistency(&swapped, &head, &proof).is_err());
        }
    }
}
