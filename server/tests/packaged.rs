//! What the Debian package brings along.

use std::{collections::BTreeSet, fs, path::Path};

/// What the README sends people to is there where there is no checkout.
#[test]
fn the_package_has_every_page_of_the_documentation() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(here.join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().expect("a list");
    let packaged: BTreeSet<&str> = assets.iter().filter_map(|asset| asset[0].as_str()).collect();
    let mut pages = 0;
    for entry in fs::read_dir(here.join("../docs")).expect("documentation") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("a name");
        if name.ends_with(".md") {
            pages += 1;
            assert!(packaged.contains(format!("../docs/{name}").as_str()), "{name} is not in the package");
        }
    }
    assert!(pages >= 3, "there is documentation");
}
