//! Every file of the corpus, and what is nearly one, through every way in; so that what was found once is not found again.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

use fuzz::{TARGETS, Target};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Of each way in, but for those that take longer than a moment.
const MUTATIONS: usize = 1000;
const LONG: [&str; 3] = ["feedback", "relay", "session"];
const FEWER: usize = 100;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path, strip: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries.map(|name| name.to_string_lossy().trim_end_matches(strip).to_owned()).collect()
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = corpus().join(name);
    let mut seeds: Vec<Vec<u8>> =
        names(&folder, "").iter().map(|file| fs::read(folder.join(file)).expect("a file")).collect();
    seeds.push(Vec::new());
    seeds
}

/// Runs it, and says with which bytes it failed.
fn run(name: &str, target: Target, bytes: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(bytes))) {
        eprintln!("{name} fails with {bytes:?}, which is {:?}", String::from_utf8_lossy(bytes));
        resume_unwind(panic);
    }
}

fn mutated(seeds: &[Vec<u8>], random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..=random.random_range(0..4) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..16)).min(bytes.len());
        match random.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, random.random()),
            3 => bytes[at..end].fill_with(|| random.random()),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[test]
fn every_way_in_has_a_program_and_a_corpus_and_each_of_these_a_way_in() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "each has a name of its own");
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    assert_eq!(names(&programs, ".rs"), targets);
    assert_eq!(names(&corpus(), ""), targets);
    for target in &targets {
        assert!(seeds(target).len() > 1, "the corpus of {target} is empty");
    }
}

#[test]
fn what_is_in_the_corpus_and_what_is_nearly_that_holds() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        for seed in &seeds {
            run(name, *target, seed);
        }
        let mut random = SmallRng::seed_from_u64(0);
        for _ in 0..if LONG.contains(name) { FEWER } else { MUTATIONS } {
            run(name, *target, &mutated(&seeds, &mut random));
        }
    }
}
