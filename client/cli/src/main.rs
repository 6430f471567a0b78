//! The program `strongroom`: all of it is in the library of this package, where tests reach it. It
//! may assume a terminal or none, and must never end without an exit code that says how it went.

fn main() -> std::process::ExitCode {
    strongroom_cli::main()
}
