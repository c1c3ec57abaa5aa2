//! The services, and where they are found.

use super::Service;
#[cfg(feature = "rooms")]
use super::{broadcast, chat, status};
use crate::budget::Budget;
use crate::http::ServicePath;
use crate::limits::{Config, RoomHistory};
#[cfg(feature = "pages")]
use crate::pages::Page;
#[cfg(feature = "rooms")]
use crate::{http::RoomPaths, pages};

/// Where a service is found.
#[derive(Clone, Copy, Debug)]
pub struct Mounted {
    /// Its paths.
    pub path: ServicePath,
    /// The page for whoever does not ask for an upgrade.
    #[cfg(feature = "pages")]
    pub page: Option<&'static Page>,
    /// Makes the service, given what its rooms may keep and where that is charged.
    pub make: fn(RoomHistory, &Budget) -> Box<dyn Service>,
}

/// None, in a program without rooms.
#[cfg(not(feature = "rooms"))]
pub const MOUNTED: &[Mounted] = &[];

/// The services: one line each.
#[cfg(feature = "rooms")]
pub const MOUNTED: &[Mounted] = &[
    Mounted {
        path: ServicePath { path: "/chat", rooms: RoomPaths::Optional, page: true },
        page: Some(&pages::CHAT),
        make: |limits, budget| Box::new(chat::Chat::new(limits, budget)),
    },
    Mounted {
        path: ServicePath { path: "/broadcast", rooms: RoomPaths::Named, page: false },
        page: None,
        make: |_, _| Box::<broadcast::Broadcast>::default(),
    },
    Mounted {
        path: ServicePath { path: "/draw", rooms: RoomPaths::Optional, page: true },
        page: Some(&pages::DRAW),
        make: |limits, budget| Box::new(broadcast::Broadcast::of_boards(limits, budget)),
    },
    Mounted {
        path: ServicePath { path: "/status", rooms: RoomPaths::One, page: true },
        page: Some(&pages::STATUS),
        make: |_, _| Box::<status::Status>::default(),
    },
];

/// The services that the operator wants. What is told of the server stands last, so that the places
/// of the others are the same without it.
pub fn mounted(config: &Config) -> &'static [Mounted] {
    match MOUNTED {
        [others @ .., _status] if !config.status => others,
        all => all,
    }
}
