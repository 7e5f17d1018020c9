//! The command line as people call it: the built program, real files, exit codes.

mod audit;
mod lint;
mod run;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a call answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Calls the program.
pub(crate) fn openreg<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Answer {
    openreg_with(arguments, "")
}

/// Calls the program with `input` on its standard input.
pub(crate) fn openreg_with<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>, input: &str) -> Answer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_openreg"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openreg starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that does not read its input may end before it is written.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("openreg ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// The samples of the project.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config/samples")
        .canonicalize()
        .expect("the samples")
}

/// A directory of its own for a test, with the quickstart in it, changed by `change`.
pub(crate) fn quickstart(change: impl FnOnce(String) -> String) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let text = std::fs::read_to_string(samples().join("quickstart.yaml")).expect("the sample");
    let changed = change(text.clone());
    std::fs::write(directory.path().join("quickstart.yaml"), changed).expect("written");
    std::fs::create_dir(directory.path().join("quickstart")).expect("made");
    std::fs::copy(samples().join("quickstart/trades.sql"), directory.path().join("quickstart/trades.sql")).expect("copied");
    directory
}
