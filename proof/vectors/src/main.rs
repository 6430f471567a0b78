//! Writes the specification's vectors, or says which of the files differ from what the code makes.

use std::{fs, process::ExitCode};

fn main() -> ExitCode {
    let write = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--write") => true,
        Some(_) => {
            eprintln!("usage: strongroom-vectors [--write]");
            return ExitCode::from(2);
        }
    };
    let mut differing = 0;
    for file in strongroom_vectors::all() {
        let path = strongroom_vectors::folder().join(file.name());
        let text = file.to_json();
        if fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
            continue;
        }
        differing += 1;
        if !write {
            println!("differs: {}", path.display());
        } else if let Err(error) = fs::write(&path, text) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        } else {
            println!("written: {}", path.display());
        }
    }
    if differing == 0 || write { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
