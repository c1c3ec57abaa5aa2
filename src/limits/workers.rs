//! Several processes on one port: how many, when a dead one is restarted, what is waited for.

use std::time::Duration;

/// Most workers of a supervisor; more processors than this belong to several of them.
pub const WORKERS_MAX: usize = 256;

/// A worker that has died is restarted after this time, which doubles each time that it dies again.
pub const RESTART_DELAY_MIN: Duration = Duration::from_millis(50);

/// The longest time until a restart.
pub const RESTART_DELAY_MAX: Duration = Duration::from_secs(10);

/// Connections wait in the queue of a dead worker for a restart that is no further away than this.
/// Else those that are there end, and the others get those who come.
pub const WAIT_FOR_RESTART_MAX: Duration = Duration::from_millis(500);

/// A worker that has run for this long before it died is restarted as if that were the first time.
pub const RUN_WELL_TIME: Duration = Duration::from_secs(60);

/// For how long workers may take to say what they have counted. Prometheus waits for 10 s.
pub const COUNT_TIME_MAX: Duration = Duration::from_secs(1);

/// For how long a worker waits for the sum, which its supervisor has after [`COUNT_TIME_MAX`].
pub const SUM_TIME_MAX: Duration = Duration::from_secs(3);

/// Requests for the sum that may wait at one time in a worker; others get 503.
pub const SUMS_WAITING_MAX: usize = 64;

/// What a worker may take to end beside its drain. Whoever takes longer is killed.
pub const WORKER_END_TIME: Duration = Duration::from_secs(5);

/// From the signal to the end of a listener that is left to others: connections that are just being
/// made get there within a round trip, and new ones are put off by a second.
pub const LEAVE_TIME: Duration = Duration::from_millis(250);

/// Whoever has connected to a listener that is left to others has this long to ask for something.
pub const LAST_REQUESTS_TIME: Duration = Duration::from_secs(1);

const _: () = assert!(COUNT_TIME_MAX.as_millis() < SUM_TIME_MAX.as_millis());
const _: () = assert!(LEAVE_TIME.as_millis() < LAST_REQUESTS_TIME.as_millis());
