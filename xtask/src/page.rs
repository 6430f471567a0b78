//! `cargo xtask page`: the status page's check as WebAssembly, and the tests that need it.
//!
//! It stays apart from `test`: with the compiler that a distribution's package registry offers, the standard library
//! is built from its source first.

use crate::process::{self, Failure};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const CRATE: &str = "audit/page/wasm";
/// Debian's second compiler, which has the source of its standard library beside it.
const COMPILER: [&str; 4] = ["rustc-web", "libstd-rust-web-dev", "rust-web-src", "libllvm22"];

/// Who compiles.
enum Compiler {
    /// The compiler in use has the target's standard library.
    Own,
    /// Another one, unpacked below this folder, that builds it.
    Unpacked(PathBuf),
}

/// Builds the check into `target/page`, installs a browser, and runs the page's tests with both.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    build(root).map_err(Failure::check)?;
    install_browser(root).map_err(Failure::check)?;
    test(root).map_err(Failure::check)
}

fn build(root: &Path) -> Result<(), String> {
    let target = process::target_dir(root);
    let glue = glue(root, &target)?;
    let compiler = compiler(root, &target)?;
    let mut cargo = Command::new(process::cargo());
    let package = ["build", "--locked", "--release", "--package", "strongroom-page-wasm"];
    cargo.current_dir(root.join(CRATE)).env("CARGO_TARGET_DIR", target.join("page-build"));
    cargo.args(package).args(["--target", TARGET]);
    if let Compiler::Unpacked(folder) = &compiler {
        let own = PathBuf::from(process::capture(root, "rustc", &["--print", "sysroot"])?.trim());
        let host = process::capture(root, "rustc", &["--print", "host-tuple"])?;
        let linker = own.join("lib/rustlib").join(host.trim()).join("bin/rust-lld");
        cargo
            .env("RUSTC", folder.join("usr/bin/rustc"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("LD_LIBRARY_PATH", folder.join("usr/lib/x86_64-linux-gnu"))
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
            .arg("-Zbuild-std=std,panic_abort");
    }
    ended(CRATE, &mut cargo)?;
    let built = target.join("page-build").join(TARGET).join("release/strongroom_page_wasm.wasm");
    let out = target.join("page");
    let words = |path: &Path| path.to_string_lossy().into_owned();
    process::run(root, &words(&glue), &[&words(&built), &words(&out)])?;
    println!("the page's check is in {}", out.display());
    Ok(())
}

/// The program that writes the glue, of exactly the version that the check links.
fn glue(root: &Path, target: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(process::cargo());
    let package = ["build", "--locked", "--package", "strongroom-page-glue"];
    cargo.current_dir(root.join(CRATE)).env("CARGO_TARGET_DIR", target.join("page-build"));
    ended("the glue's writer", cargo.args(package))?;
    Ok(target.join("page-build/debug/strongroom-page-glue"))
}

fn ended(what: &str, command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{what} cannot be run: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{what}: {status}")) }
}

/// The compiler in use where it can; elsewhere Debian's, downloaded and unpacked, not installed.
fn compiler(root: &Path, target: &Path) -> Result<Compiler, String> {
    let libraries = ["--print", "target-libdir", "--target", TARGET];
    let libraries = process::capture(root, "rustc", &libraries)?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(Compiler::Own);
    }
    let folder = match std::env::var_os("STRONGROOM_WASM_COMPILER") {
        Some(folder) => PathBuf::from(folder),
        None => target.join("page-compiler"),
    };
    if folder.join("usr/bin/rustc").exists() {
        return Ok(Compiler::Unpacked(folder));
    }
    let by_hand = format!("install the standard library by hand: rustup target add {TARGET}");
    if !process::is_installed("apt-get") || !process::is_installed("dpkg") {
        return Err(format!("no compiler for {TARGET}; {by_hand}"));
    }
    println!("{TARGET}: missing; unpacking Debian's compiler for it (130 MB), once");
    let packages = target.join("page-packages");
    std::fs::create_dir_all(&packages).map_err(|error| error.to_string())?;
    process::run(root, "apt-get", &["update", "-qq"])?;
    let library = depended_on(root)?;
    let mut download = vec!["download", "-qq"];
    download.extend(COMPILER);
    download.push(&library);
    process::run(&packages, "apt-get", &download)?;
    for package in std::fs::read_dir(&packages).map_err(|error| error.to_string())?.flatten() {
        let package = package.path().to_string_lossy().into_owned();
        process::run(root, "dpkg", &["-x", &package, &folder.to_string_lossy()])?;
    }
    Ok(Compiler::Unpacked(folder))
}

/// The package of the compiler's own library, which has its version in its name.
fn depended_on(root: &Path) -> Result<String, String> {
    let shown = process::capture(root, "apt-cache", &["depends", "libstd-rust-web-dev"])?;
    let named = shown.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let mut named = named.filter(|name| name.starts_with("libstd-rust-web-"));
    named.next().map(str::to_owned).ok_or_else(|| "rustc-web's library is not known".to_owned())
}

fn install_browser(root: &Path) -> Result<(), String> {
    let named = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    if process::is_installed(&named) {
        return Ok(());
    }
    println!("chromium: missing; tests look at the page with it");
    let install = ["install", "-y", "-qq", "--no-install-recommends", "chromium"];
    process::run(root, "apt-get", &["update", "-qq"])?;
    process::run(root, "apt-get", &install)
}

fn test(root: &Path) -> Result<(), String> {
    let arguments = ["nextest", "run", "--locked", "--package", "strongroom-page"];
    println!("$ cargo {}", arguments.join(" "));
    let mut cargo = Command::new(process::cargo());
    cargo.current_dir(root).env("STRONGROOM_PAGE_REQUIRED", "1").args(arguments);
    ended("the page's tests", &mut cargo)
}
