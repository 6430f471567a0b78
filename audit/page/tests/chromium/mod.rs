//! Headless Chromium, and a small server for the folder that it visits.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};
use strongroom_page::Verifier;

/// What the tests of a page need beside the page.
pub(crate) struct Browser {
    program: PathBuf,
    pub(crate) verifier: Verifier,
}

/// None, and a word why, where a part of it is missing.
pub(crate) fn browser() -> Option<Browser> {
    let missing = |what: &str| {
        let told = format!("{what}; `cargo xtask page` builds and installs what is missing");
        assert!(std::env::var_os("STRONGROOM_PAGE_REQUIRED").is_none(), "{told}");
        // Past the capture of passing tests: nobody should take this for a pass.
        let _ = writeln!(std::io::stderr(), "NOT RUN: {told}");
    };
    let folder = artefact();
    let Ok(verifier) = Verifier::from_folder(&folder) else {
        missing(&format!("no check in {}", folder.display()));
        return None;
    };
    let program = std::env::var_os("CHROMIUM").map_or_else(|| "chromium".into(), PathBuf::from);
    if Command::new(&program).arg("--version").output().is_err() {
        missing(&format!("no {}", program.display()));
        return None;
    }
    Some(Browser { program, verifier })
}

fn artefact() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    root.join(target).join("page")
}

impl Browser {
    /// The page as it stands when its scripts have come to rest.
    pub(crate) fn visit(&self, folder: &Path, path: &str) -> String {
        let server = Server::of(folder);
        let url = format!("http://127.0.0.1:{}{path}", server.port);
        let dumped = self.run(&["--virtual-time-budget=20000", "--dump-dom", &url]);
        String::from_utf8(dumped).expect("text")
    }

    /// Pictures of the page, where `STRONGROOM_PAGE_PICTURES` names a folder for them.
    pub(crate) fn pictures(&self, folder: &Path, name: &str) {
        let Some(kept) = std::env::var_os("STRONGROOM_PAGE_PICTURES") else { return };
        let server = Server::of(folder);
        let url = format!("http://127.0.0.1:{}/", server.port);
        for (width, height) in [(1280, 2600), (500, 3800)] {
            for dark in [false, true] {
                let shade = if dark { "dark" } else { "light" };
                let file = Path::new(&kept).join(format!("{name}-{width}-{shade}.png"));
                let shot = format!("--screenshot={}", file.display());
                let size = format!("--window-size={width},{height}");
                let scheme = if dark {
                    "--blink-settings=preferredColorScheme=0"
                } else {
                    "--blink-settings=preferredColorScheme=1"
                };
                self.run(&[
                    "--virtual-time-budget=20000",
                    &size,
                    scheme,
                    "--hide-scrollbars",
                    &shot,
                    &url,
                ]);
            }
        }
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let profile = tempfile::tempdir().expect("a folder");
        let output = Command::new(&self.program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .output()
            .expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

/// The verdict's outcome and its text.
pub(crate) fn verdict(page: &str) -> (String, String) {
    let (_, part) = page.split_once("id=\"verdict\"").expect("a verdict");
    let outcome = part.split("data-outcome=\"").nth(1).and_then(|rest| rest.split('"').next());
    let (_, inner) = part.split_once('>').expect("a tag");
    let end = ["</section>", "</pre>"].iter().filter_map(|tag| inner.find(tag)).min();
    let inner = &inner[..end.expect("its end")];
    let mut text = String::new();
    for piece in inner.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
        text.push(' ');
    }
    (outcome.unwrap_or_default().to_owned(), text.trim().to_owned())
}

/// Serves a folder on loopback until it is dropped.
struct Server {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Server {
    fn of(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let over = Arc::new(AtomicBool::new(false));
        let (folder, ended) = (folder.to_owned(), Arc::clone(&over));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(SeqCst) {
                    break;
                }
                let folder = folder.clone();
                // A browser opens connections that it never uses.
                thread::spawn(move || answer(stream, &folder));
            }
        });
        Self { port, over }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn answer(mut stream: TcpStream, folder: &Path) {
    let mut request = Vec::new();
    let mut part = [0; 4_096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(len) if len > 0 && request.len() < 65_536 => request.extend_from_slice(&part[..len]),
            _ => return,
        }
    }
    let line = String::from_utf8_lossy(&request);
    let path = line.split(' ').nth(1).unwrap_or("/").trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let plain = path.split('/').all(|name| !name.starts_with(".."));
    let body = if plain { std::fs::read(folder.join(path)).ok() } else { None };
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    let (status, body) = match body {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A browser that went away needs no answer.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
}
