//! Who was not there when others left, or came: nobody is listed who has gone, and nobody is
//! forgotten.

use std::time::Duration;

use crate::fleet::{Client, Fleet, who};

const SECOND: Duration = Duration::from_secs(1);

/// Ann leaves while these nodes cannot reach the bus, and hers still has somebody elsewhere.
fn leave_unheard(away: &[usize], unnoticed: bool) {
    let mut fleet = Fleet::new(3);
    let ann = fleet.join(0, "/chat/den");
    ann.take_name("ann");
    let _other_room = fleet.join(0, "/chat/hall");
    let mat = fleet.join(2, "/chat/den");
    mat.take_name("mat");
    let mut eve = fleet.join(1, "/chat/den");
    let mut plain = fleet.join(1, "/broadcast/den?presence");
    let counted = fleet.join(0, "/broadcast/den");
    fleet.pass(SECOND);
    eve.texts();
    plain.texts();
    fleet.broker.frozen = unnoticed;
    if !unnoticed {
        away.iter().for_each(|node| fleet.nets[*node].core().unreachable = true);
        away.iter().for_each(|node| fleet.broker.cut(*node));
        fleet.settle();
    }
    ann.leave();
    counted.leave();
    fleet.settle();
    if unnoticed {
        away.iter().for_each(|node| fleet.broker.cut(*node));
        fleet.broker.frozen = false;
    }
    fleet.pass(2 * SECOND);
    away.iter().for_each(|node| fleet.nets[*node].core().unreachable = false);
    fleet.pass(12 * SECOND);
    let notices = eve.notices();
    assert!(notices.contains(&"ann left, 2 user(s) online".to_owned()), "{away:?}: {notices:?}");
    assert!(!notices.iter().any(|notice| notice.contains("mat")), "{away:?}: {notices:?}");
    assert_eq!(plain.texts().last().map(String::as_str), Some(r#"{"type":"presence","count":1"#));
    eve.take_name("ann");
    fleet.settle();
    assert_eq!(who(&mut fleet, &mut eve), ["ann", "mat"], "the name is free again");
}

#[test]
fn who_left_in_an_outage_does_not_stay_elsewhere() {
    leave_unheard(&[0], false);
    leave_unheard(&[1], false);
    leave_unheard(&[0, 1], false);
    leave_unheard(&[0, 1, 2], false);
}

#[test]
fn a_leave_that_the_bus_has_lost_is_made_up_for() {
    leave_unheard(&[0], true);
    leave_unheard(&[0, 1, 2], true);
}

/// Two in one room, at two processes, and one elsewhere.
fn two_known() -> (Fleet, Client, Client) {
    let mut fleet = Fleet::new(2);
    let mut ann = fleet.join(0, "/chat/den");
    ann.take_name("ann");
    let mut eve = fleet.join(1, "/chat/den");
    eve.take_name("eve");
    fleet.pass(5 * SECOND);
    ann.texts();
    eve.texts();
    (fleet, ann, eve)
}

/// Both see both again, and nothing is said any more but that they live.
fn find_each_other(fleet: &mut Fleet, ann: &mut Client, eve: &mut Client) {
    fleet.pass(5 * SECOND);
    assert!(eve.notices().contains(&"ann is here, 2 user(s) online".to_owned()));
    for client in [ann, eve] {
        assert_eq!(who(fleet, client), ["ann", "eve"]);
    }
    let before = fleet.broker.published;
    fleet.pass(10 * SECOND);
    assert_eq!(fleet.broker.published - before, 10);
}

#[test]
fn a_process_that_stood_still_is_found_again() {
    let (mut fleet, mut ann, mut eve) = two_known();
    fleet.stopped = Some(0);
    fleet.pass(12 * SECOND);
    assert_eq!(eve.notices(), ["ann left, 1 user(s) online"]);
    fleet.stopped = None;
    find_each_other(&mut fleet, &mut ann, &mut eve);
    assert_eq!(fleet.server(0).metrics().bus_losses, 0, "its link was never broken");
}

#[test]
fn who_could_not_hear_each_other_find_each_other_again() {
    let (mut fleet, mut ann, mut eve) = two_known();
    fleet.broker.parted = Some(0);
    fleet.pass(12 * SECOND);
    assert_eq!(eve.notices(), ["ann left, 1 user(s) online"]);
    assert_eq!(ann.notices(), ["eve left, 1 user(s) online"]);
    fleet.broker.parted = None;
    find_each_other(&mut fleet, &mut ann, &mut eve);
}

#[test]
fn who_comes_after_a_quiet_time_makes_nobody_else_say_hello() {
    let (mut fleet, ann, mut eve) = two_known();
    let _hall = fleet.join(1, "/chat/hall");
    ann.leave();
    fleet.pass(20 * SECOND);
    assert_eq!(fleet.server(1).metrics().bus_processes, 0);
    let before = fleet.broker.published;
    let _ann = fleet.join(0, "/chat/den");
    // That it lives, that she is there, and its hello with its members; then eve's answer.
    fleet.pass(SECOND / 10);
    let said = fleet.broker.published - before;
    fleet.pass(10 * SECOND);
    assert_eq!((said, fleet.broker.published - before), (5, 15));
    assert_eq!(who(&mut fleet, &mut eve).len(), 2);
}
