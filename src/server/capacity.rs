//! How much the server takes on where nobody has said so: what the limits of the process leave room
//! for.

use super::accept::shed_connections_max;
#[cfg(feature = "tls")]
use crate::budget::Budget;
#[cfg(feature = "tls")]
use crate::limits::TLS_SESSION_BYTES;
use crate::limits::{
    Config, READ_BYTES_MAX, RESERVED_DESCRIPTORS, RESIDENT_SLACK_BYTES, RESIDENT_START_BYTES,
};
use crate::units::show_bytes;

/// What an idle connection takes of the system in all, most of it in the kernel: its socket and
/// what belongs to it, and small buffers. Measured it is a little more than half of this.
const CONNECTION_SYSTEM_BYTES: usize = 8 * 1024;

/// Fewer connections than this are worth a warning.
const CONNECTIONS_USUAL: usize = 1000;

/// Fewest connections that a limit on memory leads to.
const CONNECTIONS_MIN: usize = 32;

/// What an operator has asked for; `None` leaves it to the limits of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Most connections.
    pub connections: Option<usize>,
    /// Bytes that may be kept for peers.
    pub budget: Option<usize>,
}

/// The limits of the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Open files; `usize::MAX` without a limit.
    pub(super) descriptors: usize,
    /// Bytes of memory, the kernel's for its sockets included.
    pub(super) memory: Option<u64>,
}

/// What the server takes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    pub(super) connections: usize,
    pub(super) budget: usize,
    /// What an operator should hear of it, one line each.
    pub(super) warnings: Vec<String>,
}

impl Capacity {
    pub(super) fn new(asked: Asked, limits: Limits, listeners: usize) -> Self {
        let fit = connections_that_fit(limits.descriptors, listeners);
        let mut warnings = Vec::new();
        if asked.connections.map_or(fit < CONNECTIONS_USUAL, |wanted| wanted > fit) {
            warnings.push(format!(
                "the limit on open files leaves room for {fit} connections only: raise it \
                 (ulimit -n)"
            ));
        }
        let usual = Config::default().buffer_budget;
        let mut budget = asked.budget.unwrap_or(usual);
        let mut connections = asked.connections.unwrap_or(fit);
        if let Some(memory) = limits.memory {
            let left = usize::try_from(memory).unwrap_or(usize::MAX);
            let left = left.saturating_sub(RESIDENT_START_BYTES + RESIDENT_SLACK_BYTES);
            // The other half is the kernel's, for what its sockets hold.
            if asked.budget.is_none() {
                budget = (left / 2).clamp(READ_BYTES_MAX, usual);
            }
            let held = left.saturating_sub(budget) / CONNECTION_SYSTEM_BYTES;
            if asked.connections.is_none() {
                connections = fit.min(held.max(CONNECTIONS_MIN));
            }
            let lower = [
                (budget < usual && asked.budget.is_none())
                    .then(|| format!("--buffer-budget {}", show_bytes(budget as u64))),
                (connections < fit && asked.connections.is_none())
                    .then(|| format!("--max-connections {connections}")),
            ];
            let lower: Vec<String> = lower.into_iter().flatten().collect();
            if !lower.is_empty() {
                warnings.push(format!(
                    "the control group's limit of {} of memory leads to {}",
                    show_bytes(memory),
                    lower.join(" and ")
                ));
            }
        }
        Self { connections, budget, warnings }
    }
}

/// What an operator should hear who has asked for more connections than there may be sessions of
/// TLS.
#[cfg(feature = "tls")]
pub(super) fn sessions_warning(asked: Asked, budget: usize) -> Option<String> {
    let fit = Budget::sessions_of(budget) / TLS_SESSION_BYTES;
    let warn = asked.connections.is_some_and(|wanted| wanted > fit);
    warn.then(|| {
        format!(
            "--buffer-budget {} leaves room for {fit} sessions of TLS only",
            show_bytes(budget as u64)
        )
    })
}

/// How many connections a limit on open files leaves room for, beside those that are turned away
/// in an orderly way.
fn connections_that_fit(descriptors: usize, listeners: usize) -> usize {
    let left = descriptors.saturating_sub(RESERVED_DESCRIPTORS + listeners);
    left.saturating_sub(shed_connections_max(left)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn capacity(asked: Asked, descriptors: usize, memory: Option<u64>) -> (usize, usize, String) {
        let capacity = Capacity::new(asked, Limits { descriptors, memory }, 1);
        (capacity.connections, capacity.budget, capacity.warnings.join("; "))
    }

    #[test]
    fn without_limits_there_is_nothing_to_say() {
        let usual = Config::default().buffer_budget;
        let nobody = Asked::default();
        assert_eq!(capacity(nobody, 20_081, None), (20_000, usual, String::new()));
        // Memory that is enough for all descriptors.
        assert_eq!(capacity(nobody, 20_081, Some(1024 * MIB)), (20_000, usual, String::new()));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn more_connections_than_sessions_are_worth_a_word() {
        let said = |wanted| {
            let asked = Asked { connections: wanted, ..Asked::default() };
            sessions_warning(asked, 64 << 20)
        };
        assert_eq!((said(None), said(Some(4096))), (None, None));
        let expected = "--buffer-budget 64MiB leaves room for 4096 sessions of TLS only";
        assert_eq!(said(Some(4097)).as_deref(), Some(expected));
    }

    #[test]
    fn a_small_container_has_a_small_budget_and_few_connections() {
        let (connections, budget, said) = capacity(Asked::default(), 1 << 20, Some(32 * MIB));
        assert_eq!((connections, budget), (768, 6 << 20));
        assert_eq!(
            said,
            "the control group's limit of 32MiB of memory leads to --buffer-budget 6MiB and \
             --max-connections 768"
        );
        let (connections, budget, _) = capacity(Asked::default(), 1 << 20, Some(8 * MIB));
        assert_eq!(
            (connections, budget),
            (CONNECTIONS_MIN, READ_BYTES_MAX),
            "and there is a least"
        );
    }

    #[test]
    fn what_an_operator_asks_for_stands() {
        let asked = Asked { connections: Some(5000), budget: Some(30 << 20) };
        let (connections, budget, said) = capacity(asked, 1 << 20, Some(32 * MIB));
        assert_eq!((connections, budget, said), (5000, 30 << 20, String::new()));
        let asked = Asked { budget: Some(1 << 20), ..asked };
        let (connections, _, said) = capacity(asked, 256, None);
        assert_eq!(connections, 5000);
        assert!(said.starts_with("the limit on open files leaves room for 210 "), "{said}");
    }
}
