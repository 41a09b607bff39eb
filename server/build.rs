//! The page is part of the binary, so it must have been built before.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=../web-viewer/dist");
    if !Path::new("../web-viewer/dist/index.html").exists() {
        println!("cargo::error=the viewer page has not been built: run `make viewer` first");
    }
}
