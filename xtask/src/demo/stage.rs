//! What a scenario stands on: a folder of its own, programs, and a voice.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

/// One run of one command.
pub(super) struct Run {
    /// The exit code.
    pub(super) code: i32,
    /// Standard output, then standard error.
    pub(super) text: String,
    /// How long it took.
    pub(super) took: Duration,
}

impl Run {
    /// The first line that contains a word, without leading space.
    pub(super) fn line_with(&self, word: &str) -> &str {
        self.text.lines().find(|line| line.contains(word)).unwrap_or("").trim()
    }
}

/// A folder, the fleet in it, and the programs. The fleet is taken down when it goes.
pub(super) struct Stage {
    programs: PathBuf,
    folder: PathBuf,
    began: Instant,
}

impl Stage {
    /// An empty folder under the build's target directory.
    pub(super) fn new(programs: &Path, folder: PathBuf) -> Result<Self, String> {
        let stage = Self { programs: programs.to_path_buf(), folder, began: Instant::now() };
        stage.down();
        let _ = std::fs::remove_dir_all(&stage.folder);
        std::fs::create_dir_all(&stage.folder)
            .map_err(|e| format!("{}: {e}", stage.folder.display()))?;
        Ok(stage)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Says one thing, with the time since the beginning.
    pub(super) fn say(&self, text: &str) {
        println!("[{:>6.2} s] {text}", self.began.elapsed().as_secs_f64());
    }

    /// Says what a command printed, indented.
    pub(super) fn show(&self, run: &Run) {
        for line in run.text.lines().filter(|line| !line.starts_with("warning: INSECURE")) {
            println!("           | {line}");
        }
    }

    /// Runs `strongroom` in the home of one device.
    pub(super) fn device(&self, home: &str, arguments: &[&str]) -> Result<Run, String> {
        let mut command = Command::new(self.programs.join("strongroom"));
        command.arg("--home").arg(self.folder.join(home)).args(arguments);
        self.run(command)
    }

    /// Runs `strongroom dev`.
    pub(super) fn dev(&self, arguments: &[&str]) -> Result<Run, String> {
        let mut command = Command::new(self.programs.join("strongroom"));
        command.arg("dev").args(arguments).arg("--dir").arg(self.folder.join("fleet"));
        self.run(command)
    }

    fn run(&self, mut command: Command) -> Result<Run, String> {
        let began = Instant::now();
        let Output { status, stdout, stderr } = command
            .env_remove("STRONGROOM_HOME")
            .env_remove("STRONGROOM_REPOSITORY")
            .current_dir(&self.folder)
            .output()
            .map_err(|e| format!("cannot run strongroom: {e}"))?;
        let text = [stdout, stderr].concat();
        Ok(Run {
            code: status.code().unwrap_or(-1),
            text: String::from_utf8_lossy(&text).into_owned(),
            took: began.elapsed(),
        })
    }

    fn down(&self) {
        if self.folder.join("fleet").exists() {
            let _ = self.dev(&["down"]);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.down();
    }
}
