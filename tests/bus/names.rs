//! Names that several have claimed at the same moment.

use crate::SECOND;
use crate::fleet::{Client, Fleet, who};
use crate::puppet::Puppet;

const TAKEN: &str = "that name is taken";
const ROOM: &str = "chat/x";
const LOST: &str = "somebody elsewhere has taken that name before you";

fn takes(fleet: &mut Fleet, client: &mut Client, name: &str) -> bool {
    client.texts();
    client.take_name(name);
    fleet.settle();
    !client.texts().concat().contains(TAKEN)
}

/// The process that a private message to ann goes to.
fn addressee(fleet: &mut Fleet, client: &Client) -> u64 {
    fleet.broker.keeps = true;
    client.say(r#"{"type":"private","to":"ann","message":"psst"}"#);
    fleet.settle();
    let message = fleet.broker.kept.last().expect("it was published");
    // Behind a head that ends with version and kind, who sent it, and its number.
    let start = message.windows(4).position(|four| four == b"\r\n\x01\x03").expect("private");
    let to = &message[start + 20..start + 28];
    u64::from_be_bytes(to.try_into().expect("eight bytes"))
}

/// Milliseconds that no clock here shows yet.
const LATE: u64 = 1 << 60;

#[test]
fn who_has_won_a_race_keeps_the_name_at_third_processes_too() {
    // In both orders of the cards at the third.
    for [first, second] in [[0, 1], [1, 0]] {
        let mut fleet = Fleet::new(3);
        let mut ann = fleet.join(first, "/chat/x");
        let mut bob = fleet.join(second, "/chat/x");
        let mut cyd = fleet.join(2, "/chat/x");
        fleet.broker.frozen = true;
        ann.take_name("ann");
        fleet.settle();
        fleet.pass(SECOND / 10);
        bob.take_name("ann");
        fleet.settle();
        fleet.broker.frozen = false;
        // The third has heard both claims, and not yet that one of them has lost it.
        fleet.turn();
        cyd.say(r#"{"type":"private","to":"ann","message":"early"}"#);
        fleet.settle();
        let (won, lost) = (ann.texts().concat(), bob.texts().concat());
        assert!(won.contains("early") && !lost.contains("early"), "{won} {lost}");
        assert!(lost.contains(LOST) && !won.contains(LOST));
        assert!(!takes(&mut fleet, &mut cyd, "Ann"));
        cyd.say(r#"{"type":"private","to":"ann","message":"psst"}"#);
        fleet.settle();
        assert!(ann.texts().concat().contains("psst") && !bob.texts().concat().contains("psst"));
        for client in [&mut ann, &mut bob, &mut cyd] {
            assert_eq!(who(&mut fleet, client), ["Anonymous", "Anonymous", "ann"]);
        }
    }
}

#[test]
fn the_name_of_a_guest_that_goes_is_that_of_the_next_who_has_it() {
    let mut fleet = Fleet::new(1);
    let mut cyd = fleet.join(0, "/chat/x");
    let [mut a, mut b, mut c] = [1, 2, 3].map(|process| Puppet::new(process, ROOM));
    c.claim(&mut fleet, 0, "ann", 10);
    b.claim(&mut fleet, 0, "Ann", 20);
    a.claim(&mut fleet, 0, "ann", 20);
    assert_eq!(who(&mut fleet, &mut cyd), ["Ann", "Anonymous", "ann", "ann"]);
    assert_eq!(addressee(&mut fleet, &cyd), 3, "the oldest claim");
    c.leave(&mut fleet, 0);
    assert_eq!(addressee(&mut fleet, &cyd), 1, "the lesser process of two as old");
    assert!(!takes(&mut fleet, &mut cyd, "ann"), "two more have it");
    a.claim(&mut fleet, 0, "ann", 30);
    a.claim(&mut fleet, 0, "bob", 40);
    assert!(!takes(&mut fleet, &mut cyd, "ann"), "one more has it");
    assert!(!takes(&mut fleet, &mut cyd, "bob"));
    b.leave(&mut fleet, 0);
    assert!(takes(&mut fleet, &mut cyd, "ann"));
}

#[test]
fn a_claim_that_comes_too_late_is_answered_once() {
    let mut fleet = Fleet::new(1);
    let mut cyd = fleet.join(0, "/chat/x");
    cyd.take_name("cyd");
    fleet.settle();
    let (mut a, before) = (Puppet::new(1, ROOM), fleet.broker.published);
    for heard in 1..=3 {
        a.claim(&mut fleet, 0, "CYD", LATE);
        assert_eq!(fleet.broker.published, before + heard, "its process hears whose it is");
    }
    a.claim(&mut fleet, 0, "bob", LATE);
    assert_eq!(fleet.broker.published, before + 3);
    assert!(!cyd.texts().concat().contains(LOST));
    assert_eq!(who(&mut fleet, &mut cyd), ["bob", "cyd"]);
    a.claim(&mut fleet, 0, "cyd", 0);
    assert!(cyd.texts().concat().contains(LOST));
    assert_eq!(fleet.broker.published, before + 4, "nothing but that it has none");
}
