//! Writes the glue between the page's script and the check: `strongroom-page-glue BUILT.wasm FOLDER`.
//!
//! The library behind the `wasm-bindgen` command, without that command's test runner and its two hundred
//! dependencies. `cargo xtask page` runs it.

use std::{env, process::ExitCode};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [built, folder] = arguments.as_slice() else {
        eprintln!("usage: strongroom-page-glue BUILT.wasm FOLDER");
        return ExitCode::from(2);
    };
    let mut glue = Bindgen::new();
    let written = glue.web(true).map(|glue| {
        glue.input_path(built).out_name("verify").typescript(false).generate(folder)
    });
    match written.and_then(|written| written) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: no glue was written: {error:?}");
            ExitCode::FAILURE
        }
    }
}
