//! All parsers of what comes from outside, over the seeds of the fuzz targets and over what is left of them when they are cut,
//! doubled or damaged.

use std::path::Path;

#[path = "../../fuzz/parsers.rs"]
#[allow(dead_code)] // What is for the targets only.
mod parsers;

/// A document as it is, cut, repeated, and with some of its bytes changed.
fn variants(bytes: &[u8]) -> Vec<Vec<u8>> {
    let cuts = (0..8).map(|part| bytes[..bytes.len() * part / 8].to_vec());
    let tails = (1..8).map(|part| bytes[bytes.len() * part / 8..].to_vec());
    let damaged = [0x00, 0x1B, 0x22, 0x26, 0x3C, 0x80, 0xC2, 0xFF].into_iter().flat_map(|byte| {
        (1..6usize).map(move |step| {
            let mut bytes = bytes.to_vec();
            bytes.iter_mut().skip(step).step_by(step * 7).for_each(|at| *at = byte);
            bytes
        })
    });
    let repeated = [2, 30].map(|times| bytes.repeat(times));
    [bytes.to_vec()].into_iter().chain(cuts).chain(tails).chain(damaged).chain(repeated).collect()
}

#[test]
fn no_parser_panics_on_seeds_and_on_what_is_left_of_them() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, parse) in parsers::TARGETS {
        let files: Vec<_> =
            std::fs::read_dir(seeds.join(name)).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 5, "{name} has {} seeds", files.len());
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            for (at, variant) in variants(&bytes).iter().enumerate() {
                let ran = std::panic::catch_unwind(|| parse(variant));
                assert!(ran.is_ok(), "{} {at}: {:?}", file.display(), String::from_utf8_lossy(variant));
            }
        }
    }
}
