//! The checked-in files are what the code makes today.

use std::{collections::BTreeSet, fs};

#[test]
fn every_vector_file_is_what_the_code_makes() {
    let mut wrong = Vec::new();
    for file in strongroom_vectors::all() {
        let path = strongroom_vectors::folder().join(file.name());
        if fs::read_to_string(&path).unwrap_or_default() != file.to_json() {
            wrong.push(file.name());
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:?} differ: an encoding changed. If that is meant, it needs a new label or version, \
         then `cargo run -p strongroom-vectors -- --write`"
    );
}

#[test]
fn no_vector_file_is_left_behind() {
    let made: BTreeSet<String> =
        strongroom_vectors::all().iter().map(|file| file.name().to_owned()).collect();
    let kept: BTreeSet<String> = fs::read_dir(strongroom_vectors::folder())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(kept, made);
}

#[test]
fn every_kind_of_message_has_refused_encodings() {
    for file in strongroom_vectors::all() {
        let json: serde_json::Value = serde_json::from_str(&file.to_json()).expect("JSON");
        let cases = json["cases"].as_array().map_or(0, Vec::len);
        let refused = json["refused"].as_array().map_or(0, Vec::len);
        // Framed statements are hashed and never read back; the replica's own tests feed it noise.
        let is_read = !["framed.json", "replica.json", "sealed.json"].contains(&file.name());
        assert!(cases > 0 && (refused > 0) == is_read, "{}", file.name());
    }
}
