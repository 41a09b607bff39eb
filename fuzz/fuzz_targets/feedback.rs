//! See `fuzz::feedback`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::feedback(data));
