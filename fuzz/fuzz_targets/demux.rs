//! See `fuzz::demux`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::demux(data));
