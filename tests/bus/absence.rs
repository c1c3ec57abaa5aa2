//! Who was not there when others left, or came: nobody is listed who has gone, and nobody is
//! forgotten.

use std::time::Duration;

use crate::fleet::{Fleet, who};

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
