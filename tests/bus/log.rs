//! What the servers of a test have logged: tests run each on a thread of its own, and so do their
//! servers.

use std::cell::RefCell;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Listener;

impl Log for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// From here on warnings are listened to.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Listener).expect("nobody else listens");
        log::set_max_level(LevelFilter::Warn);
    });
}

/// How many lines have come with these words.
pub fn count(words: &str) -> usize {
    LINES.with_borrow(|lines| lines.iter().filter(|line| line.contains(words)).count())
}
