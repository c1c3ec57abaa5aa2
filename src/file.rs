//! Files that an operator names, read whole.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longest file, in bytes. All certificates that browsers trust take a quarter of it.
const BYTES_MAX: u64 = 1 << 20;

/// The whole file.
///
/// # Errors
///
/// What is wrong with it, without its name: it cannot be read, is too long, or has no end.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 <= BYTES_MAX => Ok(bytes),
        Ok(_) => Err("it is longer than 1MiB".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
