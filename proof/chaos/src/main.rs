//! `strongroom-chaos`: breaks a real fleet while people use it. See the library for what it may
//! assume and what it must never do.

fn main() -> std::process::ExitCode {
    strongroom_chaos::main()
}
