//! A fleet in a folder of its own, and the commands of its users.

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// One run of one command.
#[derive(Debug)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// Standard output, then standard error.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

impl Run {
    /// The first JSON line that has this field.
    pub fn field(&self, name: &str) -> Option<Value> {
        let lines = self.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find_map(|line| line.get(name).cloned())
    }
}

/// A running development fleet. It is taken down when it is dropped.
pub struct Fleet {
    folder: TempDir,
    programs: PathBuf,
}

impl Fleet {
    /// Starts seven nodes and a gateway, with waits divided by `waits_divided_by`.
    ///
    /// # Panics
    /// If the programs are not built or the fleet does not start.
    pub fn start(waits_divided_by: u64) -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fleet = Self { folder, programs };
        let up = fleet.dev(&["up", "--waits-divided-by", &waits_divided_by.to_string()]);
        assert_eq!(up.code, 0, "{}", up.text);
        fleet
    }

    /// A path in this fleet's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new device of a user that the fleet knows: a profile and nothing else.
    ///
    /// # Panics
    /// If the profile cannot be copied.
    pub fn new_device(&self, home: &str, user: &str) {
        let profile = self.path("fleet").join("users").join(user).join("profile.toml");
        std::fs::create_dir_all(self.path(home)).expect("home");
        std::fs::copy(&profile, self.path(home).join("profile.toml")).expect("profile");
    }

    /// Writes a password file.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn password(&self, name: &str, password: &str) {
        std::fs::write(self.path(name), format!("{password}\n")).expect("password file");
    }

    /// Runs `strongroom` as a device.
    pub fn device(&self, home: &str, arguments: &[&str]) -> Run {
        let mut command = self.command();
        command.arg("--home").arg(self.path(home)).args(arguments);
        run(command)
    }

    /// One recovery as a device, in JSON lines.
    pub fn recover(&self, home: &str, password_file: &str) -> Run {
        let arguments =
            ["--json", "recover", "--password-file", password_file, "--yes-last-attempt"];
        self.device(home, &arguments)
    }

    /// The same, by somebody who waits for a minute.
    pub fn recover_patiently(&self, home: &str, password_file: &str) -> Run {
        let arguments = ["--json", "--timeout", "60", "recover", "--password-file", password_file];
        self.device(home, &arguments)
    }

    /// Runs `strongroom dev`.
    pub fn dev(&self, arguments: &[&str]) -> Run {
        let mut command = self.command();
        command.arg("dev").args(arguments).arg("--dir").arg(self.path("fleet"));
        run(command)
    }

    /// The same, killed after a while.
    ///
    /// # Panics
    /// If it cannot be started or waited for.
    pub fn dev_killed_after(&self, arguments: &[&str], after: Duration) -> Run {
        let mut command = self.command();
        command.arg("dev").args(arguments).arg("--dir").arg(self.path("fleet"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let mut child = command.spawn().expect("strongroom runs");
        std::thread::sleep(after);
        // Servers that it started are sessions of their own, and live on.
        let _ = child.kill();
        let status = child.wait().expect("it ends");
        let code = status.code().unwrap_or(-1);
        Run { code, text: format!("{status}"), took: began.elapsed() }
    }

    /// The node that leads.
    ///
    /// # Panics
    /// If nobody does within ten seconds.
    pub fn leader(&self) -> String {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            let status = self.dev(&["status", "--json"]);
            let lines = status.text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
            let leader = lines.into_iter().find(|line| line["role"] == "leader");
            if let Some(node) = leader.and_then(|line| line["node"].as_u64()) {
                return node.to_string();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("nobody leads");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.programs.join("strongroom"));
        command
            .current_dir(self.folder.path())
            .env_remove("STRONGROOM_HOME")
            .env_remove("STRONGROOM_REPOSITORY");
        command
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.dev(&["down"]);
    }
}

fn run(mut command: Command) -> Run {
    let began = Instant::now();
    let Output { status, stdout, stderr } = command.output().expect("strongroom runs");
    let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    Run { code: status.code().unwrap_or(-1), text, took: began.elapsed() }
}

/// `target/debug`, from `target/debug/deps/TEST`.
fn programs() -> PathBuf {
    let test = std::env::current_exe().expect("this test's path");
    let folder = test.parent().and_then(Path::parent).expect("target folder").to_path_buf();
    for program in ["strongroom", "strongroomd", "strongroom-vault"] {
        assert!(
            folder.join(program).exists(),
            "{program} is not built: `cargo build --workspace --all-targets` comes first"
        );
    }
    folder
}
