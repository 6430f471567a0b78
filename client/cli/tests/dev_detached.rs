//! Processes of a development fleet survive the terminal that started them.

use std::process::Command;

#[test]
fn a_detached_program_leads_a_session_of_its_own_under_the_same_pid() {
    // Field 6 of proc(5)'s stat is the session; the shell's name has no spaces.
    let script = "read -r line < /proc/self/stat; echo \"$$ $line\"";
    let child = Command::new(env!("CARGO_BIN_EXE_strongroom"))
        .args(["dev", "detached", "sh", "-c", script])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("spawn");
    let pid = child.id().to_string();
    let output = child.wait_with_output().expect("output");
    let text = String::from_utf8(output.stdout).expect("text");
    let words: Vec<&str> = text.split_whitespace().collect();
    let session = words.get(6).copied();
    assert_eq!((words.first().copied(), session), (Some(pid.as_str()), Some(pid.as_str())));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_strongroom"))
        .args(["dev", "detached", "/nowhere/strongroomd"])
        .output()
        .expect("output");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("/nowhere/strongroomd"), "{text}");
}
