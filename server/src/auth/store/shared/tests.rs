//! Two stores that tell each other what has changed.

use std::time::Duration;

use super::*;
use crate::auth::{NewLink, Rotation, tests::Place};

const NOW: UnixTime = UnixTime(1_800_000_000);

fn robot() -> RobotId {
    "r".parse().expect("an id")
}

/// Two servers' stores.
fn two() -> ([Place; 2], [Store; 2]) {
    let places = [Place::new(), Place::new()];
    let stores = places.each_ref().map(Place::store);
    (places, stores)
}

/// Each tells the other all that it has. Returns what both have now.
fn share(stores: &mut [Store; 2]) -> Vec<Record> {
    let [one, other] = stores.each_ref().map(|store| store.changed_since(0).expect("read").0);
    for (store, records) in stores.iter_mut().zip([other, one]) {
        for record in records {
            store.merge(&record, UnixTime::now()).expect("a record");
        }
    }
    let [mut one, mut other] = stores.each_ref().map(|store| store.changed_since(0).expect("read").0);
    one.sort_by(|one, other| one.name.cmp(&other.name));
    other.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(one, other);
    one
}

fn add_link(store: &mut Store) -> LinkId {
    let lasts = Duration::from_secs(3600);
    let new = NewLink { robot: robot(), role: Role::Watch, max_viewers: None, lasts, note: "for ada".to_owned() };
    store.add_link(&new, UnixTime::now()).expect("a link").0.id
}

#[test]
fn what_is_done_at_one_server_is_done_at_the_other() {
    let (_places, mut stores) = two();
    stores[0].add_robot(&robot(), Access::Link, NOW).expect("added");
    share(&mut stores);
    let link = add_link(&mut stores[1]);
    stores[1].rotate(&robot(), Rotation::Overlapping, NOW).expect("a new key");
    stores[0].add_operator(&"ada".parse().expect("a name"), NOW).expect("added");
    share(&mut stores);
    let now = UnixTime::now();
    for store in &stores {
        assert_eq!(store.robots().expect("read")[0].keys, 2);
        assert_eq!(store.links(now).expect("read")[0].id, link);
        assert_eq!(store.operators().expect("read").len(), 1);
    }
    let [one, other] = stores.each_ref().map(|store| store.keyring().expect("read"));
    assert_eq!(one.newest(), other.newest(), "what one signs, the other takes");

    stores[0].revoke_link(&link, now).expect("revoked");
    stores[1].set_access(&robot(), Access::Private).expect("changed");
    stores[1].remove_operator(&"ada".parse().expect("a name")).expect("removed");
    share(&mut stores);
    for store in &stores {
        assert!(store.links(now).expect("read")[0].revoked);
        assert_eq!(store.robots().expect("read")[0].access, Access::Private);
        assert!(store.operators().expect("read").is_empty());
    }
    stores[0].remove_robot(&robot(), now).expect("removed");
    let (changed, last) = stores[0].changed_since(0).expect("read");
    assert!(changed.iter().any(|record| record.name == "robot r" && record.text.ends_with(" null")), "{changed:?}");
    assert!(stores[0].changed_since(last).expect("read").0.is_empty());
    share(&mut stores);
    assert!(stores[1].robots().expect("read").is_empty());
}

#[test]
fn the_last_to_change_something_is_right_whatever_its_clock_says() {
    let (_places, mut stores) = two();
    stores[0].add_robot(&robot(), Access::Link, NOW).expect("added");
    let (ahead, _) = stores[0].changed_since(0).expect("read");
    let ahead = ahead.iter().find(|record| record.name == "robot r").expect("noted");
    let date = ahead.text[..DATE].parse::<u64>().expect("a date") + 3_600_000;
    let text = format!("{date:0DATE$}{}", &ahead.text[DATE..]);
    let ahead = Record { text, ..ahead.clone() };
    assert_eq!(stores[1].merge(&ahead, UnixTime::now()).expect("taken"), Merged::Taken);
    assert_eq!(stores[1].merge(&ahead, UnixTime::now()).expect("known"), Merged::Known);
    stores[1].set_access(&robot(), Access::Public).expect("changed");
    share(&mut stores);
    assert_eq!(stores[0].robots().expect("read")[0].access, Access::Public);
}

#[test]
fn of_two_changes_at_once_all_choose_the_same() {
    let (_places, mut stores) = two();
    stores[0].add_robot(&robot(), Access::Link, NOW).expect("added");
    share(&mut stores);
    stores[0].set_access(&robot(), Access::Public).expect("changed");
    stores[1].set_access(&robot(), Access::Private).expect("changed");
    for store in &stores {
        store.database.execute("UPDATE changes SET at = 7 WHERE kind = 'robot'", []).expect("at the same time");
    }
    share(&mut stores);
    assert_eq!(stores[0].robots().expect("read")[0].access, stores[1].robots().expect("read")[0].access);
}

#[test]
fn nothing_that_was_taken_back_is_good_again() {
    let (_places, mut stores) = two();
    stores[0].add_robot(&robot(), Access::Link, NOW).expect("added");
    let link = add_link(&mut stores[0]);
    let good = share(&mut stores).into_iter().find(|record| record.name.starts_with("link ")).expect("it");
    stores[1].revoke_link(&link, UnixTime::now()).expect("revoked");
    let later = format!("{:0DATE$}{}", (UnixTime::now().0 + 60) * 1000, &good.text[DATE..]);
    stores[1].merge(&Record { text: later, ..good }, UnixTime::now()).expect("merged");
    assert!(stores[1].links(UnixTime::now()).expect("read")[0].revoked);
}

#[test]
fn what_has_run_out_does_not_come_back() {
    let (_places, mut stores) = two();
    stores[0].add_robot(&robot(), Access::Link, NOW).expect("added");
    add_link(&mut stores[0]);
    let (records, _) = stores[0].changed_since(0).expect("read");
    let link = records.iter().find(|record| record.name.starts_with("link ")).expect("it");
    let later = UnixTime::now().after(Duration::from_secs(KEPT_FOR + 3601));
    assert_eq!(stores[1].merge(link, later).expect("understood"), Merged::Spent);
    // The next link drives it out; nobody is told.
    stores[0].database.execute("UPDATE links SET expires = 1", []).expect("long ago");
    add_link(&mut stores[0]);
    let (records, _) = stores[0].changed_since(0).expect("read");
    assert!(records.iter().all(|record| record.name != link.name), "{records:?}");
}

#[test]
fn a_key_that_has_signed_a_good_link_stays_whoever_has_a_newer_one() {
    let (_places, mut stores) = two();
    stores[0].add_robot(&robot(), Access::Link, NOW).expect("added");
    // Long ago, and by themselves since: the other's key is newer, and older than the link.
    for (store, age) in stores.iter_mut().zip([20, 10]) {
        let created = UnixTime(UnixTime::now().0 - age * 24 * 3600);
        let kid = format!("{:012x}0000", created.0);
        store.database.execute("DELETE FROM signing_keys", []).expect("none");
        let add = "INSERT INTO signing_keys (kid, secret, created) VALUES (?1, ?2, ?3)";
        store.database.execute(add, params![kid, [7_u8; 32], created]).expect("added");
    }
    add_link(&mut stores[0]);
    share(&mut stores);
    let keys = |store: &Store| -> i64 {
        store.database.query_row("SELECT count(*) FROM signing_keys", [], |row| row.get(0)).expect("a number")
    };
    stores[0].ensure_link_key(UnixTime::now()).expect("tidied up");
    assert_eq!(keys(&stores[0]), 2);
    let all = UnixTime(UnixTime::now().0 + 3601);
    stores[0].ensure_link_key(all).expect("tidied up");
    assert_eq!(keys(&stores[0]), 1, "it has run out");
}

#[test]
fn what_cannot_be_is_left_alone() {
    let (_places, [mut store, _]) = two();
    let date = format!("{:0DATE$}", NOW.0 * 1000);
    let key = r#"{"bytes":"AAAA","created":1}"#;
    for (name, text) in [
        ("robot r", String::new()),
        ("robot r", "7 null".to_owned()),
        ("robot r", format!("{} null", "9".repeat(DATE))),
        ("robot a b", format!("{date} null")),
        ("planet r", format!("{date} null")),
        ("visit '; DROP TABLE robots", format!(r#"{date} {{"expires":9000000000}}"#)),
        ("robot r", format!(r#"{date} {{"access":"all","created":1,"keys":[]}}"#)),
        ("robot r", format!(r#"{date} {{"access":"link","created":1,"keys":[{key}]}}"#)),
        ("robot r", format!(r#"{date} {{"access":"link","created":1,"keys":[],"more":1}}"#)),
        ("link l", format!("{date} null")),
    ] {
        let before = store.changed_since(0).expect("read");
        store.merge(&Record { name: name.to_owned(), text: text.clone() }, NOW).expect_err(&text);
        assert_eq!(store.changed_since(0).expect("read"), before);
    }
}
