//! The main job, as a person would see it: lose a phone, get the photos back; and what is refused.

use super::{
    stage::{Run, Stage},
    tree,
};
use crate::process;
use std::{fs, path::Path, thread, time::Duration};

const RIGHT: &str = "correct horse battery staple\n";
const WRONG: &str = "incorrect horse\n";

/// Exit codes of `strongroom`.
const OK: i32 = 0;
const TOO_EARLY: i32 = 11;
const WRONG_PASSWORD: i32 = 12;
const LOCKED: i32 = 13;
const NO_QUORUM: i32 = 14;

pub(super) fn play(root: &Path, programs: &Path, data: Option<&Path>) -> Result<(), String> {
    let stage = Stage::new(programs, process::target_dir(root).join("demo"))?;
    let io = |e: std::io::Error| e.to_string();
    fs::write(stage.path("right"), RIGHT).map_err(io)?;
    fs::write(stage.path("wrong"), WRONG).map_err(io)?;
    match data {
        Some(folder) => tree::prepare(folder, &stage.path("photos")).map_err(io)?,
        None => {
            for room in ["boundary", "trusted", "client", "docs"] {
                tree::prepare(&root.join(room), &stage.path("photos").join(room)).map_err(io)?;
            }
        }
    }
    stage.say("a fleet: seven vault nodes and a gateway, each a process of its own, on loopback");
    let up = stage.dev(&["up", "--waits-divided-by", "100000"])?;
    expect(&up, OK, "the fleet starts")?;
    stage.say(&format!("  up in {:.2} s; {}", up.took.as_secs_f64(), up.line_with("are ready")));
    enroll_and_back_up(&stage)?;
    new_phone(&stage)?;
    next_manifest(&stage)?;
    outages(&stage)?;
    ten_wrong_passwords(&stage)?;
    stage.say("done: everything above happened, and each step was checked");
    Ok(())
}

fn expect(run: &Run, code: i32, what: &str) -> Result<(), String> {
    if run.code == code {
        return Ok(());
    }
    Err(format!("{what}: exit code {}, expected {code}\n{}", run.code, run.text))
}

fn enroll_and_back_up(stage: &Stage) -> Result<(), String> {
    let profile = stage.path("fleet").join("users/alice/profile.toml");
    for home in ["phone", "new-phone"] {
        fs::create_dir_all(stage.path(home)).map_err(|e| e.to_string())?;
        let copied = fs::copy(&profile, stage.path(home).join("profile.toml"));
        copied.map_err(|e| format!("{}: {e}", profile.display()))?;
    }
    stage.say("alice turns encrypted backups on");
    let enrolled = stage.device("phone", &["enroll", "--password-file", "right"])?;
    expect(&enrolled, OK, "enroll")?;
    stage.say(&format!("  {}", enrolled.line_with("Stored")));
    let repository = stage.path("cloud").display().to_string();
    let backup = stage.device("phone", &["backup", "--repository", &repository, "photos"])?;
    expect(&backup, OK, "backup")?;
    stage.say(&format!("  {} ({:.2} s)", backup.line_with("Snapshot"), backup.took.as_secs_f64()));
    Ok(())
}

fn recover(stage: &Stage, password: &str) -> Result<Run, String> {
    let arguments = ["recover", "--password-file", password, "--timings", "--yes-last-attempt"];
    stage.device("new-phone", &arguments)
}

fn new_phone(stage: &Stage) -> Result<(), String> {
    fs::remove_dir_all(stage.path("phone")).map_err(|e| e.to_string())?;
    stage.say("the phone is gone, and the key with it; a new phone knows the password alone");
    let recovered = recover(stage, "right")?;
    expect(&recovered, OK, "recover")?;
    stage.say(&format!("  {}", recovered.line_with("Recovered")));
    stage.say(&format!("  {}", recovered.line_with("time:")));
    let repository = stage.path("cloud").display().to_string();
    let arguments = ["restore", "--repository", &repository, "latest", "restored"];
    let restored = stage.device("new-phone", &arguments)?;
    expect(&restored, OK, "restore")?;
    let before = tree::contents(&stage.path("photos")).map_err(|e| e.to_string())?;
    let after = tree::contents(&stage.path("restored")).map_err(|e| e.to_string())?;
    // The restored tree may keep leading folders; its files are compared by their ends.
    let same = before.len() == after.len()
        && before.iter().all(|(name, content)| {
            after.iter().any(|(path, found)| path.ends_with(name.as_str()) && found == content)
        });
    if !same {
        return Err(format!("{} files went in, {} came back or differ", before.len(), after.len()));
    }
    let bytes: usize = before.values().map(Vec::len).sum();
    stage.say(&format!(
        "  restored {} files, {:.1} MB, byte for byte the same ({:.2} s)",
        before.len(),
        bytes as f64 / 1e6,
        restored.took.as_secs_f64()
    ));
    Ok(())
}

/// The keys that the fleet answers with are not the app's: they come over the air, and anybody can check them.
fn next_manifest(stage: &Stage) -> Result<(), String> {
    stage.say("the fleet gets its next list of keys, and new custodians");
    let rotated = stage.dev(&["rotate", "--custodians"])?;
    expect(&rotated, OK, "rotate")?;
    stage.say(&format!("  {}", rotated.line_with("signed by custodians")));
    let recovered = recover(stage, "right")?;
    expect(&recovered, OK, "recover under the next manifest")?;
    stage.say("  the phone moved on by itself: it pins who vouches for keys, not the keys");
    let verified = stage.device("new-phone", &["verify"])?;
    expect(&verified, OK, "verify")?;
    stage.say("somebody who trusts nobody reads the whole log of keys (`strongroom verify`)");
    for line in ["witnesses  ", "custodians  ", "operator  ", "Verified: "] {
        stage.say(&format!("  {}", verified.line_with(line)));
    }
    Ok(())
}

fn leader(stage: &Stage) -> Result<String, String> {
    let status = stage.dev(&["status"])?;
    let line = status.line_with("leader");
    let node = line.split_whitespace().next().unwrap_or("");
    if node.is_empty() {
        Err(format!("nobody leads:\n{}", status.text))
    } else {
        Ok(node.to_owned())
    }
}

fn outages(stage: &Stage) -> Result<(), String> {
    let first = leader(stage)?;
    expect(&stage.dev(&["kill", &first])?, OK, "kill")?;
    let recovered = recover(stage, "right")?;
    expect(&recovered, OK, "recover after the leader died")?;
    stage.say(&format!(
        "node {first} led and was killed: the next recovery took {:.2} s in all and cost no attempt",
        recovered.took.as_secs_f64()
    ));
    let others: Vec<String> = (1..=7).map(|n: u32| n.to_string()).filter(|n| *n != first).collect();
    let [second, third, fourth, ..] = others.as_slice() else { return Err("seven nodes".into()) };
    expect(&stage.dev(&["kill", second, third])?, OK, "kill")?;
    let recovered = recover(stage, "right")?;
    expect(&recovered, OK, "recover with three nodes dead")?;
    stage.say(&format!(
        "three nodes are dead ({first}, {second}, {third}): recovery works ({:.2} s)",
        recovered.took.as_secs_f64()
    ));
    expect(&stage.dev(&["kill", fourth])?, OK, "kill")?;
    let refused = recover(stage, "right")?;
    expect(&refused, NO_QUORUM, "recover with four nodes dead")?;
    stage.say("four are dead: the fleet is silent, and says what that costs (exit code 14)");
    stage.show(&refused);
    let started = stage.dev(&["start", fourth])?;
    expect(&started, OK, "start")?;
    stage.say(&format!("node {fourth} comes back. {}", started.line_with("COLD START")));
    let recovered = recover(stage, "right")?;
    expect(&recovered, OK, "recover after one came back")?;
    stage.say(&format!("  recovery works again ({:.2} s)", recovered.took.as_secs_f64()));
    expect(&stage.dev(&["start", &first, second, third])?, OK, "start")?;
    Ok(())
}

fn ten_wrong_passwords(stage: &Stage) -> Result<(), String> {
    stage.say(
        "somebody tries passwords (waits are shortened 100,000 times, the code path is the same)",
    );
    let (mut wrong, mut waits) = (0, 0);
    loop {
        let tried = recover(stage, "wrong")?;
        match tried.code {
            WRONG_PASSWORD => {
                wrong += 1;
                stage.say(&format!("  wrong: {}", tried.line_with("cost")));
            }
            TOO_EARLY if waits < 60 => {
                waits += 1;
                thread::sleep(Duration::from_millis(500));
            }
            LOCKED => {
                stage.say("  the tenth:");
                stage.show(&tried);
                break;
            }
            code => return Err(format!("exit code {code} after {wrong} wrong\n{}", tried.text)),
        }
    }
    if wrong != 9 {
        return Err(format!("locked after {wrong} wrong passwords and one, expected nine and one"));
    }
    let right = recover(stage, "right")?;
    expect(&right, LOCKED, "the right password after the lock")?;
    stage.say("the right password brings nothing any more: the record is erased (exit code 13)");
    Ok(())
}
