//! What servers that belong together share of their stores: of each record, the one that was written last counts.
//!
//! The database itself notes what changes, so that a command beside the server need not know of any of this. A record that is
//! gone stays noted as such; links and visits that have run out are forgotten by each server alone.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use base64::{Engine, prelude::BASE64_STANDARD};
use protocol::{LinkId, RobotId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{KEPT_FOR, Store, StoreError, named, parsed, word};
use crate::auth::{Access, OperatorName, Role, UnixTime, book::KEYS_PER_ROBOT, link::check_note};

/// Milliseconds since 1970, in so many digits.
const DATE: usize = 16;

/// One that is dated later than this from now was dated by no clock.
const AHEAD: u64 = 366 * 24 * 3600;

/// A change of one of these is one of a record, later than all before it, whatever the clock says.
macro_rules! noting {
    ($($table:literal $event:literal $kind:literal $id:literal)*) => {
        concat!($(
            "CREATE TRIGGER ", $table, "_", $event, " AFTER ", $event, " ON ", $table, " BEGIN
                INSERT INTO changes (kind, id, at) VALUES ('", $kind, "', ", $id, ", max(
                    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), (SELECT coalesce(max(at), 0) + 1 FROM changes)
                )) ON CONFLICT DO UPDATE SET at = excluded.at;
            END;"
        ),*)
    };
}

/// What makes a database note its changes; what is there already was changed when it was made. Links say by which key they were
/// signed from now on: with those of other servers, their age does not.
pub(super) const STEP: &str = concat!(
    "CREATE TABLE changes (kind TEXT, id TEXT, at INTEGER NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
    CREATE INDEX changes_by_age ON changes (at);
    INSERT INTO changes SELECT 'robot', id, created * 1000 FROM robots;
    INSERT INTO changes SELECT 'link', id, coalesce(revoked, created) * 1000 FROM links;
    INSERT INTO changes SELECT 'operator', name, created * 1000 FROM operators;
    INSERT INTO changes SELECT 'link_key', kid, created * 1000 FROM signing_keys;
    INSERT INTO changes SELECT 'visit', id, 0 FROM ended_visits;
    ALTER TABLE links ADD COLUMN kid TEXT;",
    noting! {
        "robots" "INSERT" "robot" "NEW.id"
        "robots" "UPDATE" "robot" "NEW.id"
        "robots" "DELETE" "robot" "OLD.id"
        "robot_keys" "INSERT" "robot" "NEW.robot"
        "robot_keys" "DELETE" "robot" "OLD.robot"
        "links" "INSERT" "link" "NEW.id"
        "links" "UPDATE" "link" "NEW.id"
        "operators" "INSERT" "operator" "NEW.name"
        "operators" "UPDATE" "operator" "NEW.name"
        "operators" "DELETE" "operator" "OLD.name"
        "signing_keys" "INSERT" "link_key" "NEW.kid"
        "signing_keys" "DELETE" "link_key" "OLD.kid"
        "ended_visits" "INSERT" "visit" "NEW.id"
    },
    "CREATE TRIGGER links_forgotten AFTER DELETE ON links BEGIN
        DELETE FROM changes WHERE kind = 'link' AND id = OLD.id;
    END;
    CREATE TRIGGER visits_forgotten AFTER DELETE ON ended_visits BEGIN
        DELETE FROM changes WHERE kind = 'visit' AND id = OLD.id;
    END;"
);

/// A record as one server tells it another: no later one is known there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// Of two of the same name, the one with the greater text counts: it begins with its date.
    pub(crate) text: String,
}

/// What became of another server's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    Taken,
    /// What is here is not older.
    Known,
    /// It is of no use to anybody any more.
    Spent,
}

/// Why a record cannot be one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadRecord {
    #[error("{0} is dated as nothing can be: are the servers' clocks set?")]
    Date(String),
    #[error("nothing is called {0:?} here: are the servers of one version?")]
    Name(String),
    #[error("{name} is not understood: are the servers of one version? {source}")]
    Content { name: String, source: serde_json::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for BadRecord {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What is called so.
#[derive(Debug)]
enum Key {
    Robot(RobotId),
    Link(LinkId),
    Operator(OperatorName),
    Signing(String),
    Visit(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SharedRobot {
    access: Access,
    created: UnixTime,
    keys: Vec<Secret>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SharedLink {
    robot: RobotId,
    role: Role,
    max_viewers: Option<NonZeroU32>,
    note: String,
    created: UnixTime,
    expires: UnixTime,
    revoked: Option<UnixTime>,
    kid: Option<String>,
}

/// A key that links are signed with, or the hash of one that lets somebody in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    #[serde(with = "text")]
    bytes: [u8; 32],
    created: UnixTime,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SharedVisit {
    expires: UnixTime,
}

impl Store {
    /// What has changed since this date, the oldest first, and the date of the last one.
    pub(crate) fn changed_since(&self, since: u64) -> Result<(Vec<Record>, u64), StoreError> {
        let since = i64::try_from(since).unwrap_or(i64::MAX);
        let mut statement =
            self.database.prepare_cached("SELECT kind, id, at FROM changes WHERE at > ?1 ORDER BY at")?;
        let changes = statement.query_map([since], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        })?;
        let (mut records, mut last) = (Vec::new(), since);
        for change in changes {
            let (kind, id, at) = change?;
            last = last.max(at);
            let name = format!("{kind} {id}");
            // What a later version notes is not ours to tell.
            let Some(key) = Key::named(&name) else { continue };
            records.push(Record { text: dated(at, &content(&self.database, &key)?), name });
        }
        Ok((records, u64::try_from(last).unwrap_or_default()))
    }

    /// Takes what another server says that it has, where it is later than what is here.
    pub(crate) fn merge(&mut self, record: &Record, now: UnixTime) -> Result<Merged, BadRecord> {
        let bad_date = || BadRecord::Date(record.name.clone());
        let (date, json) = record.text.split_once(' ').ok_or_else(bad_date)?;
        let latest = now.0.saturating_add(AHEAD).saturating_mul(1000);
        let at = date.parse::<u64>().ok().filter(|at| date.len() == DATE && *at <= latest).ok_or_else(bad_date)?;
        let at = i64::try_from(at).map_err(|_| bad_date())?;
        let understood = |source| BadRecord::Content { name: record.name.clone(), source };
        let key = Key::named(&record.name).ok_or_else(|| BadRecord::Name(record.name.clone()))?;
        let change = self.change()?;
        if let Some(known) = noted(&change, &key)?
            && dated(known, &content(&change, &key)?) >= record.text
        {
            return Ok(Merged::Known);
        }
        match &key {
            Key::Robot(id) => put_robot(&change, id, serde_json::from_str(json).map_err(understood)?)?,
            Key::Operator(name) => put_operator(&change, name, serde_json::from_str(json).map_err(understood)?)?,
            Key::Signing(kid) => put_link_key(&change, kid, serde_json::from_str(json).map_err(understood)?)?,
            Key::Link(id) => {
                let link: SharedLink = serde_json::from_str(json).map_err(understood)?;
                check_note(&link.note).map_err(|why| understood(serde::de::Error::custom(why)))?;
                if link.expires.0.saturating_add(KEPT_FOR) <= now.0 {
                    return Ok(Merged::Spent);
                }
                put_link(&change, id, &link)?;
            }
            Key::Visit(id) => {
                let visit: SharedVisit = serde_json::from_str(json).map_err(understood)?;
                if visit.expires <= now {
                    return Ok(Merged::Spent);
                }
                let put = "INSERT INTO ended_visits (id, expires) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
                change.execute(put, params![id, visit.expires])?;
            }
        }
        // It was changed where it comes from, and then.
        let (kind, id) = key.parts();
        let note = "INSERT INTO changes (kind, id, at) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET at = excluded.at";
        change.execute(note, params![kind, id, at])?;
        change.commit()?;
        Ok(Merged::Taken)
    }
}

impl Key {
    fn named(name: &str) -> Option<Self> {
        let (kind, id) = name.split_once(' ')?;
        let is_hexadecimal = !id.is_empty() && id.len() <= 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
        match kind {
            "robot" => id.parse().ok().map(Self::Robot),
            "link" => id.parse().ok().map(Self::Link),
            "operator" => id.parse().ok().map(Self::Operator),
            "link_key" => is_hexadecimal.then(|| Self::Signing(id.to_owned())),
            "visit" => is_hexadecimal.then(|| Self::Visit(id.to_owned())),
            _ => None,
        }
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Robot(id) => ("robot", id.as_str()),
            Self::Link(id) => ("link", id.as_str()),
            Self::Operator(name) => ("operator", name.as_str()),
            Self::Signing(kid) => ("link_key", kid),
            Self::Visit(id) => ("visit", id),
        }
    }
}

/// Texts compare as their dates do.
fn dated(at: i64, json: &str) -> String {
    format!("{at:0DATE$} {json}")
}

fn noted(database: &Connection, key: &Key) -> Result<Option<i64>, StoreError> {
    let (kind, id) = key.parts();
    let mut statement = database.prepare_cached("SELECT at FROM changes WHERE kind = ?1 AND id = ?2")?;
    Ok(statement.query_row([kind, id], |row| row.get(0)).optional()?)
}

/// What is there under this name, as JSON: `null` if it is gone.
fn content(database: &Connection, key: &Key) -> Result<String, StoreError> {
    match key {
        Key::Robot(id) => {
            let robot = one(database, "SELECT access, created FROM robots WHERE id = ?1", id.as_str(), |row| {
                Ok(SharedRobot { access: named(row, 0)?, created: row.get(1)?, keys: Vec::new() })
            })?;
            let mut statement =
                database.prepare_cached("SELECT hash, created FROM robot_keys WHERE robot = ?1 ORDER BY rowid")?;
            let keys = statement.query_map([id.as_str()], secret)?.collect::<Result<_, _>>()?;
            Ok(json(&robot.map(|robot| SharedRobot { keys, ..robot })))
        }
        Key::Link(id) => {
            let columns =
                "SELECT robot, role, max_viewers, note, created, expires, revoked, kid FROM links WHERE id = ?1";
            let link = one(database, columns, id.as_str(), |row| {
                Ok(SharedLink {
                    robot: parsed(row, 0)?,
                    role: named(row, 1)?,
                    max_viewers: row.get::<_, Option<u32>>(2)?.and_then(NonZeroU32::new),
                    note: row.get(3)?,
                    created: row.get(4)?,
                    expires: row.get(5)?,
                    revoked: row.get(6)?,
                    kid: row.get(7)?,
                })
            })?;
            Ok(json(&link))
        }
        Key::Operator(name) => {
            Ok(json(&one(database, "SELECT hash, created FROM operators WHERE name = ?1", name.as_str(), secret)?))
        }
        Key::Signing(kid) => {
            Ok(json(&one(database, "SELECT secret, created FROM signing_keys WHERE kid = ?1", kid, secret)?))
        }
        Key::Visit(id) => {
            let visit = one(database, "SELECT expires FROM ended_visits WHERE id = ?1", id, |row| {
                Ok(SharedVisit { expires: row.get(0)? })
            })?;
            Ok(json(&visit))
        }
    }
}

fn put_robot(change: &Transaction<'_>, id: &RobotId, robot: Option<SharedRobot>) -> Result<(), StoreError> {
    change.execute("DELETE FROM robot_keys WHERE robot = ?1", [id.as_str()])?;
    let Some(SharedRobot { access, created, keys }) = robot else {
        change.execute("DELETE FROM robots WHERE id = ?1", [id.as_str()])?;
        return Ok(());
    };
    let put = "INSERT INTO robots (id, access, created) VALUES (?1, ?2, ?3) \
               ON CONFLICT DO UPDATE SET access = excluded.access, created = excluded.created";
    change.execute(put, params![id.as_str(), word(&access), created])?;
    for Secret { bytes, created } in keys.into_iter().take(KEYS_PER_ROBOT) {
        // Another robot's key is not this one's as well.
        let add = "INSERT INTO robot_keys (robot, hash, created) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        change.execute(add, params![id.as_str(), bytes, created])?;
    }
    Ok(())
}

fn put_link(change: &Transaction<'_>, id: &LinkId, link: &SharedLink) -> Result<(), StoreError> {
    let SharedLink { robot, role, max_viewers, note, created, expires, revoked, kid } = link;
    // What was taken back anywhere stays so.
    let put = "INSERT INTO links (id, robot, role, max_viewers, note, created, expires, revoked, kid) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
               ON CONFLICT DO UPDATE SET revoked = coalesce(revoked, excluded.revoked)";
    let max_viewers = max_viewers.map(NonZeroU32::get);
    let (id, robot) = (id.as_str(), robot.as_str());
    change.execute(put, params![id, robot, word(role), max_viewers, note, created, expires, revoked, kid])?;
    Ok(())
}

fn put_operator(change: &Transaction<'_>, name: &OperatorName, operator: Option<Secret>) -> Result<(), StoreError> {
    match operator {
        None => change.execute("DELETE FROM operators WHERE name = ?1", [name.as_str()])?,
        Some(Secret { bytes, created }) => change.execute(
            "INSERT INTO operators (name, hash, created) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO UPDATE SET hash = excluded.hash, created = excluded.created",
            params![name.as_str(), bytes, created],
        )?,
    };
    Ok(())
}

fn put_link_key(change: &Transaction<'_>, kid: &str, key: Option<Secret>) -> Result<(), StoreError> {
    change.execute("DELETE FROM signing_keys WHERE kid = ?1", [kid])?;
    if let Some(Secret { bytes, created }) = key {
        let put = "INSERT INTO signing_keys (kid, secret, created) VALUES (?1, ?2, ?3)";
        change.execute(put, params![kid, bytes, created])?;
    }
    Ok(())
}

fn one<T>(
    database: &Connection,
    query: &str,
    id: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    Ok(database.prepare_cached(query)?.query_row([id], read).optional()?)
}

fn secret(row: &Row<'_>) -> rusqlite::Result<Secret> {
    Ok(Secret { bytes: row.get(0)?, created: row.get(1)? })
}

fn json(content: &impl Serialize) -> String {
    serde_json::to_string(content).expect("records are plain JSON")
}

/// 32 bytes in JSON.
mod text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom("it has 32 bytes"))
    }
}
