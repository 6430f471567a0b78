//! The command line: exit codes, checks, and an orderly stop.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroomd")).args(words).output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

struct Site {
    root: tempfile::TempDir,
}

impl Site {
    /// A node without peers whose vault always fails.
    fn new() -> Self {
        let site = Self { root: tempfile::tempdir().expect("dir") };
        for file in ["manifest.json", "manifest.sig.json"] {
            fs::write(site.root.path().join(file), "{}").expect("write");
        }
        fs::create_dir(site.root.path().join("vault")).expect("dir");
        site.write("");
        site
    }

    fn config(&self) -> PathBuf {
        self.root.path().join("node.toml")
    }

    fn write(&self, more: &str) {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("an address")
        };
        let text = format!(
            "node = 1\nfleet = \"dev\"\nmanifest = \"manifest.json\"\n\
             signatures = \"manifest.sig.json\"\nvault_dir = \"vault\"\ndata_dir = \"data\"\n\
             vault_binary = \"/bin/false\"\npeer_listen = \"{}\"\nhttp_listen = \"{}\"\n\
             admin_listen = \"{}\"\n{more}",
            free(),
            free(),
            free()
        );
        fs::write(self.config(), text).expect("write");
    }

    fn node(&self, more: &[&str]) -> Output {
        let config = self.config();
        let words = ["node", "--config", config.to_str().expect("text")];
        run(&[&words[..], more].concat())
    }

    fn spawn(&self, more: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_strongroomd"))
            .args(["node", "--config", self.config().to_str().expect("text")])
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts")
    }
}

#[test]
fn a_wrong_command_line_or_configuration_is_exit_code_two() {
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["node"]).status.code(), Some(2));
    for server in ["node", "gateway"] {
        let output = run(&[server, "--config", "/nowhere/server.toml"]);
        assert_eq!(output.status.code(), Some(2), "{server}");
        assert!(said(&output).contains("/nowhere/server.toml"), "{}", said(&output));
    }
    let site = Site::new();
    site.write("tick = 30\n");
    let output = site.node(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("node.toml:11:1: unknown field `tick`"), "{}", said(&output));
}

#[test]
fn a_check_starts_nothing_and_says_what_is_missing() {
    let site = Site::new();
    let output = site.node(&["--check"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("node.toml: good\n"));
    assert!(said(&output).contains("warning: the manifest cannot be read"));
    assert!(!site.root.path().join("data").exists());
    fs::remove_file(site.root.path().join("manifest.json")).expect("remove");
    let output = site.node(&["--check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("manifest.json is not a file"), "{}", said(&output));
}

#[test]
fn an_address_in_use_is_exit_code_one_and_names_the_setting() {
    let site = Site::new();
    let text = fs::read_to_string(site.config()).expect("read");
    let taken = TcpListener::bind("127.0.0.1:0").expect("listen");
    let taken = taken.local_addr().map(|address| (taken, address)).expect("address");
    let line = text.lines().find(|line| line.starts_with("http_listen")).expect("line");
    let text = text.replace(line, &format!("http_listen = \"{}\"", taken.1));
    fs::write(site.config(), text).expect("write");
    let output = site.node(&[]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("http_listen") && said.contains(&taken.1.to_string()), "{said}");
}

fn stops_on(signal: rustix::process::Signal) {
    let site = Site::new();
    let mut child = site.spawn(&["--log-json"]);
    // Long enough for a vault to fail and be started again: neither stops the node.
    thread::sleep(Duration::from_millis(700));
    assert!(child.try_wait().expect("wait").is_none(), "a node does not end with its vault");
    let pid = rustix::process::Pid::from_child(&child);
    let asked = Instant::now();
    rustix::process::kill_process(pid, signal).expect("signal");
    let output = child.wait_with_output().expect("wait");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    let said = said(&output);
    assert!(said.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{said}");
    assert!(said.contains("the vault ended; a new process follows"), "{said}");
}

#[test]
fn sigterm_stops_a_node_in_order() {
    stops_on(rustix::process::Signal::TERM);
}

#[test]
fn an_interrupt_stops_a_node_in_order() {
    stops_on(rustix::process::Signal::INT);
}

#[test]
fn the_version_is_said() {
    let output = run(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("strongroomd "));
}
