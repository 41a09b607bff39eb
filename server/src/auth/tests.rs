//! The door behind a store on disk, as robots and viewers meet it.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use protocol::{RobotId, RobotKey};
use serde_json::json;

use super::{
    book::{Book, Entry},
    keys::KeyHash,
    token::Keyring,
    *,
};

const NOW: UnixTime = UnixTime(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// A directory of its own, which goes with it.
pub(super) struct Place(pub(super) PathBuf);

impl Place {
    pub(super) fn new() -> Self {
        let mut name = [0; 8];
        getrandom::fill(&mut name).expect("random bytes");
        Self(std::env::temp_dir().join(format!("panocast-auth-{:016x}", u64::from_le_bytes(name))))
    }

    pub(super) fn store(&self) -> Store {
        Store::open(&self.0).expect("a store")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A key that stays the same.
pub(crate) fn key(letter: char) -> RobotKey {
    format!("pk_{}", letter.to_string().repeat(43)).parse().expect("a key")
}

/// A door that knows these robots, and has taken these links back.
pub(crate) fn guarded(robots: &[(&str, Access, char)], revoked: &[&str]) -> Door {
    let entry = |(name, access, letter): &(&str, Access, char)| {
        (robot(name), Entry { access: *access, keys: vec![KeyHash::of(&key(*letter))] })
    };
    let revoked = revoked.iter().map(|link| link.parse().expect("an id")).collect();
    Door::Guarded(Arc::new(Book::new(robots.iter().map(entry).collect(), revoked, BTreeMap::new(), Keyring::default())))
}

pub(crate) fn pass(link: &str, robot_name: &str, until: Instant) -> Pass {
    let link = link.parse().expect("an id");
    Pass { link, robot: robot(robot_name), role: Role::Watch, max_viewers: None, until }
}

#[expect(clippy::disallowed_methods, reason = "an instant to count from")]
fn instant() -> Instant {
    Instant::now()
}

fn robot(name: &str) -> RobotId {
    name.parse().expect("an id")
}

fn door(store: &Store) -> Door {
    Door::Guarded(Arc::new(store.book(NOW).expect("a book")))
}

fn link(robot_name: &str, role: Role) -> NewLink {
    NewLink { robot: robot(robot_name), role, max_viewers: None, lasts: HOUR, note: String::new() }
}

/// What the bearer of a token gets, if it is asked at this time for that robot.
fn watches(store: &Store, token: Option<&str>, robot_name: &str, at: UnixTime) -> Result<(), Denied> {
    let (door, now) = (door(store), instant());
    let pass = token.map(|token| door.read(token, at, now)).transpose()?.flatten();
    door.watch(&robot(robot_name), pass.as_ref(), now)
}

#[test]
fn a_robot_is_known_by_its_keys_and_by_no_others() {
    let place = Place::new();
    let mut store = place.store();
    let first = store.add_robot(&robot("r1"), Access::Link, NOW).expect("added");
    let other = store.add_robot(&robot("r2"), Access::Link, NOW).expect("added");
    let claim = |store: &Store, name: &str, key: Option<&RobotKey>| door(store).claim(&robot(name), key).is_ok();
    assert!(claim(&store, "r1", Some(&first)) && claim(&store, "r2", Some(&other)));
    assert!(!claim(&store, "r1", None) && !claim(&store, "r1", Some(&other)) && !claim(&store, "r3", Some(&first)));
    assert!(matches!(store.add_robot(&robot("r1"), Access::Link, NOW), Err(StoreError::Exists(_))));

    let second = store.rotate(&robot("r1"), Rotation::Overlapping, NOW).expect("rotated");
    assert!(claim(&store, "r1", Some(&first)) && claim(&store, "r1", Some(&second)), "two at a time");
    let third = store.rotate(&robot("r1"), Rotation::Overlapping, NOW).expect("rotated");
    assert!(!claim(&store, "r1", Some(&first)) && claim(&store, "r1", Some(&second)), "and no more");
    let proof = door(&store).claim(&robot("r1"), Some(&third)).expect("known");
    let fourth = store.rotate(&robot("r1"), Rotation::AtOnce, NOW).expect("rotated");
    assert!(!claim(&store, "r1", Some(&second)) && !claim(&store, "r1", Some(&third)));
    assert!(claim(&store, "r1", Some(&fourth)));
    assert!(!door(&store).still_holds(&robot("r1"), proof), "who came by it has to leave");

    store.remove_robot(&robot("r1"), NOW).expect("removed");
    assert!(!claim(&store, "r1", Some(&fourth)));
    assert!(matches!(store.rotate(&robot("r1"), Rotation::AtOnce, NOW), Err(StoreError::NoRobot(_))));
}

#[test]
fn a_thousand_guesses_of_a_key_are_wrong() {
    let place = Place::new();
    let mut store = place.store();
    let key = store.add_robot(&robot("r1"), Access::Public, NOW).expect("added");
    let door = door(&store);
    for number in 0..43 * 24 {
        // Each differs from the right one in a single letter.
        let mut guess = key.as_str().as_bytes().to_vec();
        let letter = 3 + number % 43;
        guess[letter] = b'a' + u8::try_from((usize::from(guess[letter]) + 1 + number / 43) % 26).expect("a letter");
        let guess = String::from_utf8(guess).expect("ASCII");
        if guess != key.as_str() {
            assert!(door.claim(&robot("r1"), Some(&guess.parse().expect("a key"))).is_err(), "{guess}");
        }
    }
}

#[test]
fn viewers_see_what_their_robot_lets_them() {
    let place = Place::new();
    let mut store = place.store();
    for (name, access) in [("open", Access::Public), ("linked", Access::Link), ("shut", Access::Private)] {
        store.add_robot(&robot(name), access, NOW).expect("added");
    }
    let mut token = |name: &str, role| store.add_link(&link(name, role), NOW).expect("a link").1;
    let [watch, operate, shut, master] = [
        token("linked", Role::Watch),
        token("linked", Role::Operate),
        token("shut", Role::Watch),
        token("shut", Role::Operate),
    ];
    let sees = |token: Option<&Token>, name| watches(&store, token.map(Token::as_str), name, NOW);
    let denied = Err(Denied::Unauthorized);
    for (token, name, expected) in [
        (None, "open", Ok(())),
        (None, "linked", denied),
        (None, "shut", denied),
        (None, "absent", denied),
        (Some(&watch), "open", Ok(())),
        (Some(&watch), "linked", Ok(())),
        (Some(&watch), "shut", denied),
        (Some(&watch), "absent", denied),
        (Some(&operate), "linked", Ok(())),
        (Some(&operate), "shut", denied),
        (Some(&shut), "shut", denied),
        (Some(&master), "shut", Ok(())),
        (Some(&master), "linked", denied),
    ] {
        assert_eq!(sees(token, name), expected, "{name}");
    }
}

#[test]
fn links_end_are_taken_back_and_go_with_their_robot() {
    let place = Place::new();
    let mut store = place.store();
    store.add_robot(&robot("r1"), Access::Link, NOW).expect("added");
    let (first, token) = store.add_link(&link("r1", Role::Watch), NOW).expect("a link");
    let (second, other) = store.add_link(&link("r1", Role::Watch), NOW).expect("a link");
    assert_eq!(watches(&store, Some(token.as_str()), "r1", UnixTime(NOW.0 + 3599)), Ok(()));
    assert_eq!(watches(&store, Some(token.as_str()), "r1", UnixTime(NOW.0 + 3600)), Err(Denied::Expired));

    let (opened, now) = (door(&store), instant());
    let pass = opened.read(token.as_str(), NOW, now).expect("valid").expect("a pass");
    store.revoke_link(&first.id, NOW).expect("revoked");
    assert_eq!(watches(&store, Some(token.as_str()), "r1", NOW), Err(Denied::Revoked));
    assert_eq!(door(&store).watch(&robot("r1"), Some(&pass), now), Err(Denied::Revoked), "and who is in leaves");
    assert_eq!(watches(&store, Some(other.as_str()), "r1", NOW), Ok(()));
    assert!(matches!(store.revoke_link(&first.id, NOW), Err(StoreError::NoLink(_))), "once");
    let listed: Vec<_> = store.links(NOW).expect("links").into_iter().map(|link| (link.id, link.revoked)).collect();
    assert_eq!(listed, [(second.id, false), (first.id, true)]);

    store.remove_robot(&robot("r1"), NOW).expect("removed");
    store.add_robot(&robot("r1"), Access::Link, NOW).expect("another of that name");
    assert_eq!(watches(&store, Some(other.as_str()), "r1", NOW), Err(Denied::Revoked));
    assert!(store.links(UnixTime(NOW.0 + 3600)).expect("links").is_empty(), "nobody needs them any more");
}

#[test]
fn tokens_that_others_made_open_nothing() {
    let (here, elsewhere) = (Place::new(), Place::new());
    let (mut store, mut foreign) = (here.store(), elsewhere.store());
    for store in [&mut store, &mut foreign] {
        store.add_robot(&robot("r1"), Access::Link, NOW).expect("added");
    }
    let (_, token) = store.add_link(&link("r1", Role::Watch), NOW).expect("a link");
    let (_, stranger) = foreign.add_link(&link("r1", Role::Watch), NOW).expect("a link");
    let [header, claims, tag] = token.as_str().split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let [_, foreign_claims, foreign_tag] =
        stranger.as_str().split('.').collect::<Vec<_>>().try_into().expect("three parts");
    // The header of {"alg":"none"}.
    let unsigned = "eyJhbGciOiJub25lIn0";
    for forged in [
        stranger.as_str().to_owned(),
        format!("{header}.{foreign_claims}.{foreign_tag}"),
        format!("{header}.{foreign_claims}.{tag}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{tag}"),
        format!("{header}.{claims}.{tag}{}", "x".repeat(2000)),
        String::new(),
        "..".to_owned(),
    ] {
        assert_eq!(watches(&store, Some(&forged), "r1", NOW), Err(Denied::Unauthorized), "{forged}");
    }
    assert_eq!(watches(&store, Some(token.as_str()), "r1", NOW), Ok(()));
}

/// Whatever a token of the right key says, if it was not meant for this, or lacks what limits it.
#[test]
fn a_token_has_to_say_all_that_limits_it() {
    super::signing::install();
    let secret = [7; 32];
    let keyring = Keyring::of([("k1".to_owned(), secret)]);
    let sign = |algorithm, claims: &serde_json::Value| {
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(&secret))
    };
    let good = json!({ "aud": "panocast", "jti": "l1", "robot": "r1", "role": "watch", "exp": NOW.0 + 60 });
    let read = |claims: &serde_json::Value| {
        let token = sign(Algorithm::HS256, claims).expect("signed");
        keyring.read(&token, NOW).is_ok()
    };
    assert!(read(&good));
    for key in ["aud", "jti", "robot", "role", "exp"] {
        let mut lacking = good.clone();
        lacking.as_object_mut().expect("an object").remove(key);
        assert!(!read(&lacking), "without {key}");
    }
    for (key, wrong) in [
        ("aud", json!("somebody")),
        ("exp", json!("never")),
        ("exp", json!(-1)),
        ("exp", json!(1e30)),
        ("role", json!("admin")),
        ("robot", json!("../r1")),
        ("max", json!(0)),
    ] {
        let mut other = good.clone();
        other[key] = wrong;
        assert!(!read(&other), "{key}: {}", other[key]);
    }
    assert!(sign(Algorithm::HS512, &good).is_err(), "there is one algorithm");
}

#[test]
fn what_was_stored_is_there_after_a_restart_and_seen_by_others_at_once() {
    let place = Place::new();
    let mut store = place.store();
    let server = place.store();
    let before = server.version().expect("a version");
    let key = store.add_robot(&robot("r1"), Access::Private, NOW).expect("added");
    assert_ne!(server.version().expect("a version"), before, "the server sees that a command has been there");
    let new = NewLink { max_viewers: NonZeroU32::new(3), note: "for Ada".to_owned(), ..link("r1", Role::Operate) };
    let (made, token) = store.add_link(&new, NOW).expect("a link");
    // As after a crash: nobody says goodbye to the database.
    std::mem::forget(store);
    let store = place.store();
    assert!(door(&store).claim(&robot("r1"), Some(&key)).is_ok());
    assert_eq!(store.links(NOW).expect("links"), [made]);
    let pass = door(&store).read(token.as_str(), NOW, instant()).expect("valid").expect("a pass");
    assert_eq!((pass.max_viewers, pass.role), (NonZeroU32::new(3), Role::Operate));
}

#[test]
fn the_database_is_nobody_elses_business_and_holds_no_key() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let mut store = place.store();
    let key = store.add_robot(&robot("r1"), Access::Link, NOW).expect("added");
    let (_, token) = store.add_link(&link("r1", Role::Watch), NOW).expect("a link");
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(&place.0).expect("a directory") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
        bytes.extend(std::fs::read(entry.path()).expect("read"));
    }
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("r1") && !holds(&key.as_str()[3..]) && !holds(token.as_str()));
}

#[test]
fn a_database_from_the_future_or_none_at_all_is_refused_with_a_word() {
    let place = Place::new();
    drop(place.store());
    let file = place.0.join("server.db");
    rusqlite::Connection::open(&file).expect("opens").pragma_update(None, "user_version", 99).expect("set");
    let error = Store::open(&place.0).err().expect("refused").to_string();
    assert!(error.contains("99") && error.contains("newer"), "{error}");
    std::fs::write(&file, "hello").expect("written");
    let error = Store::open(&place.0).err().expect("refused").to_string();
    assert!(error.contains("server.db"), "{error}");
    let nowhere = Store::open(std::path::Path::new("/proc/panocast")).err().expect("refused").to_string();
    assert!(nowhere.contains("/proc/panocast/server.db"), "{nowhere}");
}

#[test]
fn who_opens_a_database_that_others_make_or_close_gets_it() {
    for _ in 0..60 {
        let place = Place::new();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..5).for_each(|_| drop(place.store())));
            }
        });
    }
}

#[test]
fn an_operator_is_known_by_key_and_for_a_while_by_a_visit() {
    let place = Place::new();
    let mut store = place.store();
    let [ada, bob]: [OperatorName; 2] = ["ada", "bob@example.org"].map(|name| name.parse().expect("a name"));
    let (key, other) = (store.add_operator(&ada, NOW).expect("added"), store.add_operator(&bob, NOW).expect("added"));
    let opened = door(&store);
    assert_eq!(opened.operator(key.as_str(), NOW), Some(ada.clone()));
    assert_eq!(opened.operator(other.as_str(), NOW), Some(bob));
    assert_eq!(opened.operator("ok_", NOW), None);
    assert_eq!(Door::Open.operator(key.as_str(), NOW), None, "an open server has no operators");
    let visit = opened.visit(&ada, NOW.after(HOUR)).expect("a token");
    assert_eq!(opened.operator(visit.as_str(), NOW), Some(ada.clone()));
    assert_eq!(opened.operator(visit.as_str(), NOW.after(HOUR)), None, "it ends");
    assert!(opened.read(visit.as_str(), NOW, instant()).is_err(), "a visit is no link");
    store.add_robot(&robot("r1"), Access::Link, NOW).expect("added");
    let (_, link) = store.add_link(&link("r1", Role::Operate), NOW).expect("a link");
    assert_eq!(door(&store).operator(link.as_str(), NOW), None, "and a link no visit");
    let next = store.add_operator(&ada, NOW).expect("a new key");
    assert_eq!(door(&store).operator(key.as_str(), NOW), None);
    assert_eq!(door(&store).operator(visit.as_str(), NOW), None, "visits end with the key");
    assert_eq!(door(&store).operator(next.as_str(), NOW), Some(ada.clone()));
    store.remove_operator(&ada).expect("removed");
    assert_eq!(door(&store).operator(next.as_str(), NOW), None);
    assert!(matches!(store.remove_operator(&ada), Err(StoreError::NoOperator(_))));
}

#[test]
fn links_stay_good_when_another_key_signs_and_none_does_if_it_was_stolen() {
    let place = Place::new();
    let mut store = place.store();
    store.add_robot(&robot("r1"), Access::Link, NOW).expect("added");
    let made = |store: &mut Store, at| store.add_link(&link("r1", Role::Watch), at).expect("a link").1;
    let kid = |token: &Token| jsonwebtoken::decode_header(token.as_str()).expect("a header").kid.expect("a key's name");
    let sees = |store: &Store, token: &Token, at| watches(store, Some(token.as_str()), "r1", at);
    let first = made(&mut store, NOW);
    // The clock may have been set back meanwhile.
    assert_eq!(store.rotate_link_key(Rotation::Overlapping, UnixTime(NOW.0 - 5)).expect("rotated"), 0);
    assert_eq!(store.rotate_link_key(Rotation::Overlapping, NOW).expect("rotated"), 0, "twice in a second");
    let second = made(&mut store, NOW.after(HOUR / 2));
    assert!(kid(&second) > kid(&first), "names sort by age");
    assert_eq!((sees(&store, &first, NOW), sees(&store, &second, NOW)), (Ok(()), Ok(())));

    let keys = |_: &Store| {
        let database = rusqlite::Connection::open(place.0.join("server.db")).expect("opens");
        database.query_row("SELECT count(*) FROM signing_keys", [], |row| row.get::<_, i64>(0)).expect("counted")
    };
    assert_eq!(keys(&store), 3);
    store.rotate_link_key(Rotation::Overlapping, NOW.after(HOUR)).expect("rotated");
    let third = made(&mut store, NOW.after(HOUR));
    assert_eq!(sees(&store, &second, NOW.after(HOUR)), Ok(()));
    let later = NOW.after(50 * HOUR);
    store.rotate_link_key(Rotation::Overlapping, later).expect("rotated");
    assert_eq!(keys(&store), 2, "what has signed nothing that is good is forgotten, but for operators' visits");
    assert_eq!((sees(&store, &second, NOW), sees(&store, &third, NOW)), (Err(Denied::Unauthorized), Ok(())));

    let fourth = made(&mut store, later);
    let visit = {
        let ada: OperatorName = "ada".parse().expect("a name");
        store.add_operator(&ada, later).expect("added");
        door(&store).visit(&ada, later.after(HOUR)).expect("a token")
    };
    assert_eq!(store.rotate_link_key(Rotation::AtOnce, later).expect("rotated"), 1);
    assert_eq!(keys(&store), 1);
    assert_eq!(sees(&store, &fourth, later), Err(Denied::Unauthorized), "whoever has the key may have made it");
    assert!(store.links(later).expect("links").iter().all(|link| link.revoked), "who is in by one has to leave");
    assert_eq!(door(&store).operator(visit.as_str(), later), None);
    let fifth = made(&mut store, later);
    assert_eq!(sees(&store, &fifth, later), Ok(()));
}

#[test]
fn what_changed_from_one_moment_to_the_next_is_told() {
    let place = Place::new();
    let mut store = place.store();
    let mut before = door(&store);
    let mut changes = |store: &Store| {
        let now = door(store);
        let changes = now.changes_since(&before);
        before = now;
        changes
    };
    let (r1, ada): (RobotId, OperatorName) = (robot("r1"), "ada".parse().expect("a name"));
    assert_eq!(changes(&store), []);
    store.add_robot(&r1, Access::Link, NOW).expect("added");
    assert_eq!(changes(&store), [Change::RobotAdded { robot: r1.clone(), access: Access::Link }]);
    store.rotate(&r1, Rotation::Overlapping, NOW).expect("rotated");
    assert_eq!(changes(&store), [Change::RobotsKeys { robot: r1.clone(), added: 1, removed: 0 }]);
    store.rotate(&r1, Rotation::AtOnce, NOW).expect("rotated");
    assert_eq!(changes(&store), [Change::RobotsKeys { robot: r1.clone(), added: 1, removed: 2 }]);
    store.set_access(&r1, Access::Public).expect("set");
    assert_eq!(changes(&store), [Change::RobotsAccess { robot: r1.clone(), access: Access::Public }]);
    let (made, _) = store.add_link(&link("r1", Role::Watch), NOW).expect("a link");
    assert_eq!(changes(&store), [], "whom links let in is said when they come");
    store.revoke_link(&made.id, NOW).expect("revoked");
    assert_eq!(changes(&store), [Change::LinkRevoked(made.id)]);
    store.rotate_link_key(Rotation::Overlapping, NOW).expect("rotated");
    assert_eq!(changes(&store), [Change::LinkKey]);
    store.add_operator(&ada, NOW).expect("added");
    assert_eq!(changes(&store), [Change::OperatorAdded(ada.clone())]);
    store.add_operator(&ada, NOW).expect("a new key");
    assert_eq!(changes(&store), [Change::OperatorsKey(ada.clone())]);
    store.remove_operator(&ada).expect("removed");
    store.remove_robot(&r1, NOW).expect("removed");
    assert_eq!(changes(&store), [Change::RobotRemoved(r1), Change::OperatorRemoved(ada)]);
}
