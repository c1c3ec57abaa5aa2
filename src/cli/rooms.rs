//! The options of rooms.

use super::options::Options;
use super::spec::{Spec, Takes};
use super::value;

const HEADING: &str = "Rooms";

/// Every option of rooms, in the order of the help.
pub(super) const ROOMS: &[Spec<Options>] = &[
    Spec {
        name: "coalesce",
        variable: "WSECHO_COALESCE",
        takes: Takes::One("TIME"),
        heading: HEADING,
        help: "Time that a message waits for others to the\n\
           same member, to leave in one write with them,\n\
           at most 100ms; 0 lets each turn of the loop\n\
           write what it has",
        default: |options| value::show_duration(options.config.coalesce),
        apply: |options, text| value::coalesce(text).map(|value| options.config.coalesce = value),
    },
    Spec {
        name: "room-history",
        variable: "WSECHO_ROOM_HISTORY",
        takes: Takes::One("N[,BYTES]"),
        heading: HEADING,
        help: "What a room keeps for those who join later:\n\
           the last N messages of a chat, 0 to 1000, and\n\
           of a chat or drawing board at most BYTES of\n\
           memory, up to 128KiB. 0 keeps nothing",
        default: |options| value::show_room_history(options.config.room_history),
        apply: |options, text| {
            value::room_history(text).map(|value| options.config.room_history = value)
        },
    },
];
