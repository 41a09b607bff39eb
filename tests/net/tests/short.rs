//! The short form of `make torture`: everything happens as it should, however fast.

use std::{io::Write, process::Command};

/// What the program ends with where there can be no networks.
const SKIPPED: i32 = 77;

#[test]
fn what_fails_on_the_way_is_lived_through() {
    // One that hangs ends by itself, whatever becomes of this test.
    let mut torture = Command::new("timeout");
    torture.args(["--kill-after=10", "900", env!("CARGO_BIN_EXE_torture")]);
    let out = concat!(env!("CARGO_TARGET_TMPDIR"), "/torture");
    let output = torture.args(["--short", "--out", out]).output().expect("it starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.code() == Some(SKIPPED) {
        // Past what holds back the words of tests that pass.
        writeln!(std::io::stderr(), "{said}").expect("somebody hears it");
        return;
    }
    assert!(output.status.success(), "{}; see {out}\n{said}", output.status);
}
