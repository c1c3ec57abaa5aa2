#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wsecho_fuzz::bodies::body::body(input));
