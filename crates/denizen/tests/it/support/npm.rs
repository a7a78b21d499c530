//! What the tests take from npm.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::{find_program, may_skip};

/// A fresh folder with these files of a folder in `tests`, and the packages that its lock file names; `None` when it may
/// be skipped because the machine has no Node.js.
pub(crate) fn npm_install(source: &str, files: &[&str]) -> Option<tempfile::TempDir> {
    let Some((_, npm)) = find_program("node").zip(find_program("npm")) else {
        may_skip("Node.js with npm");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    for name in ["package.json", "package-lock.json"].iter().chain(files) {
        std::fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    let mut install = Command::new(npm);
    install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder.path());
    let installed = install.stdin(Stdio::null()).output().unwrap();
    assert!(installed.status.success(), "npm ci: {}", String::from_utf8_lossy(&installed.stderr));
    Some(folder)
}
