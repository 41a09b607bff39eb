//! Robots, keys and links on disk: an SQLite database, so that what was written survives a crash, and a command may change it
//! beside a server that runs.

mod link_keys;
mod shared;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use protocol::{LinkId, RobotId, RobotKey};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, ToSql, Transaction, TransactionBehavior, params,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};

pub(crate) use shared::{BadRecord, Merged, Record};

use super::{
    Access, OperatorKey, OperatorName, UnixTime, Visit,
    book::{Book, Entry, KEYS_PER_ROBOT},
    files,
    keys::{KeyHash, new_key, random},
    link::{Link, NewLink},
    token::{Claims, Keyring, Token, VisitId},
};

const FILE: &str = "server.db";

/// Somebody else may be writing, for a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// Making a database and tidying it up take no longer than a disk does to write.
const AGAIN: Duration = Duration::from_millis(10);

/// Seconds for which links are remembered that have run out.
const KEPT_FOR: u64 = 30 * 24 * 3600;

/// What the database looks like. It is brought up to date from any earlier version, one step after the other.
const STEPS: [&str; 4] = [
    "
    CREATE TABLE robots (id TEXT PRIMARY KEY, access TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
    CREATE TABLE robot_keys (
        robot TEXT NOT NULL REFERENCES robots ON DELETE CASCADE, hash BLOB NOT NULL UNIQUE, created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE signing_keys (kid TEXT PRIMARY KEY, secret BLOB NOT NULL, created INTEGER NOT NULL) STRICT;
    CREATE TABLE links (
        id TEXT PRIMARY KEY, robot TEXT NOT NULL, role TEXT NOT NULL, max_viewers INTEGER, note TEXT NOT NULL,
        created INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER
    ) STRICT;
    ",
    "CREATE TABLE operators (name TEXT PRIMARY KEY, hash BLOB NOT NULL, created INTEGER NOT NULL) STRICT;",
    "CREATE TABLE ended_visits (id TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT;",
    shared::STEP,
];

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {path} cannot be used")]
    Unusable { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the database is of a newer version of this program ({found}, and this one knows {})", STEPS.len())]
    Newer { found: i64 },
    #[error("the database did not do what it was told")]
    Failed(#[from] rusqlite::Error),
    #[error("there is a robot {0} already; `server robot rotate {0}` gives it a new key")]
    Exists(RobotId),
    #[error("there is no robot {0}; `server robot list` says which there are")]
    NoRobot(RobotId),
    #[error("there is no operator {0}; `server operator list` says who there is")]
    NoOperator(OperatorName),
    #[error("there is no link {0} that could still be used; `server link list` says which there are")]
    NoLink(LinkId),
}

pub struct Store {
    database: Connection,
}

/// A robot, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub robot: RobotId,
    pub access: Access,
    pub keys: usize,
    pub created: UnixTime,
}

/// What becomes of former keys, of a robot or of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The newest of a robot's goes on working until the next rotation, so that its config can be changed at leisure; those of
    /// links do until the links have run out.
    Overlapping,
    /// None works any more, since somebody else may have them.
    AtOnce,
}

impl Store {
    /// Opens the database in this directory, and makes both if need be.
    #[expect(clippy::disallowed_methods, reason = "it is as long as this takes that matters")]
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE);
        let until = Instant::now() + PATIENCE;
        let opened = loop {
            match Self::at(&path) {
                // The first makes a database and the last tidies it up: who comes meanwhile is refused at once, however patient.
                Err(error) if error.is_busy() && Instant::now() < until => thread::sleep(AGAIN),
                opened => break opened,
            }
        };
        opened.map_err(|source| match source {
            Opening::Store(error) => error,
            Opening::File(source) => StoreError::Unusable { path, source },
        })
    }

    fn at(path: &Path) -> Result<Self, Opening> {
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        // The way there may lead through links, and what is there is none.
        let path = directory.canonicalize()?.join(FILE);
        files::prepare(&path)?;
        let mut database = Connection::open_with_flags(&path, OpenFlags::default() | OpenFlags::SQLITE_OPEN_NOFOLLOW)?;
        database.busy_timeout(PATIENCE)?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        // What was answered is on the disk, even if the power fails.
        database.pragma_update(None, "synchronous", "FULL")?;
        database.pragma_update(None, "foreign_keys", true)?;
        bring_up_to_date(&mut database)?;
        files::give_to_owner(&path)?;
        let mut store = Self { database };
        store.ensure_link_key(UnixTime::now())?;
        Ok(store)
    }

    /// Changes whenever somebody else has changed the database.
    pub(crate) fn version(&self) -> Result<i64, StoreError> {
        Ok(self.database.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Grows whenever something in it was changed here.
    pub(super) fn changes(&self) -> u64 {
        self.database.total_changes()
    }

    pub(crate) fn book(&self, now: UnixTime) -> Result<Book, StoreError> {
        let mut robots = BTreeMap::new();
        for listed in self.robots()? {
            let mut statement =
                self.database.prepare_cached("SELECT hash FROM robot_keys WHERE robot = ?1 ORDER BY rowid")?;
            let hashes = statement.query_map([listed.robot.as_str()], |row| row.get::<_, Vec<u8>>(0))?;
            let hashes = hashes.collect::<Result<Vec<_>, _>>()?;
            let keys = hashes.iter().filter_map(|hash| KeyHash::from_bytes(hash)).collect();
            robots.insert(listed.robot, Entry { access: listed.access, keys });
        }
        let links = self.links(now)?;
        let revoked = links.into_iter().filter(|link| link.revoked).map(|link| link.id).collect();
        let book = Book::new(robots, revoked, self.operator_keys()?, self.keyring()?);
        Ok(book.without(self.ended_visits(now)?))
    }

    pub fn add_robot(&mut self, robot: &RobotId, access: Access, now: UnixTime) -> Result<RobotKey, StoreError> {
        let change = self.change()?;
        let known = "INSERT INTO robots (id, access, created) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        if change.execute(known, params![robot.as_str(), word(&access), now])? == 0 {
            return Err(StoreError::Exists(robot.clone()));
        }
        let key = add_key(&change, robot, now)?;
        change.commit()?;
        Ok(key)
    }

    /// Gives the robot a new key.
    pub fn rotate(&mut self, robot: &RobotId, rotation: Rotation, now: UnixTime) -> Result<RobotKey, StoreError> {
        let keep = match rotation {
            Rotation::Overlapping => KEYS_PER_ROBOT - 1,
            Rotation::AtOnce => 0,
        };
        let change = self.change()?;
        require(&change, robot)?;
        let older = "DELETE FROM robot_keys WHERE robot = ?1 AND rowid NOT IN \
                     (SELECT rowid FROM robot_keys WHERE robot = ?1 ORDER BY rowid DESC LIMIT ?2)";
        change.execute(older, params![robot.as_str(), i64::try_from(keep).expect("a few")])?;
        let key = add_key(&change, robot, now)?;
        change.commit()?;
        Ok(key)
    }

    pub fn set_access(&mut self, robot: &RobotId, access: Access) -> Result<(), StoreError> {
        let changed = self
            .database
            .execute("UPDATE robots SET access = ?2 WHERE id = ?1", params![robot.as_str(), word(&access)])?;
        if changed == 0 { Err(StoreError::NoRobot(robot.clone())) } else { Ok(()) }
    }

    /// Its links go with it: they open nothing either if a robot of the same name comes later.
    pub fn remove_robot(&mut self, robot: &RobotId, now: UnixTime) -> Result<(), StoreError> {
        let change = self.change()?;
        require(&change, robot)?;
        change.execute("DELETE FROM robots WHERE id = ?1", [robot.as_str()])?;
        let revoke = "UPDATE links SET revoked = ?2 WHERE robot = ?1 AND revoked IS NULL";
        change.execute(revoke, params![robot.as_str(), now])?;
        Ok(change.commit()?)
    }

    pub fn robots(&self) -> Result<Vec<Listed>, StoreError> {
        let mut statement = self.database.prepare_cached(
            "SELECT id, access, created, (SELECT count(*) FROM robot_keys WHERE robot = id) FROM robots ORDER BY id",
        )?;
        let listed = |row: &Row<'_>| {
            Ok(Listed {
                robot: parsed(row, 0)?,
                access: named(row, 1)?,
                created: row.get(2)?,
                keys: usize::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
            })
        };
        Ok(statement.query_map([], listed)?.collect::<Result<_, _>>()?)
    }

    pub fn add_link(&mut self, new: &NewLink, now: UnixTime) -> Result<(Link, Token), StoreError> {
        let id = random()[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let id = LinkId::try_from(id).expect("hexadecimal digits are an id");
        let expires = now.after(new.lasts);
        let claims = Claims::new(id.clone(), new.robot.clone(), new.role, expires, new.max_viewers);
        let keyring = self.keyring()?;
        let change = self.change()?;
        require(&change, &new.robot)?;
        // Not at once: a clock that went ahead may be set back, and what was taken back must not be good again.
        change.execute("DELETE FROM links WHERE expires <= ?1", [UnixTime(now.0.saturating_sub(KEPT_FOR))])?;
        change.execute(
            "INSERT INTO links (id, robot, role, max_viewers, note, created, expires, kid) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                id.as_str(),
                new.robot.as_str(),
                word(&new.role),
                new.max_viewers.map(NonZeroU32::get),
                new.note,
                now,
                expires,
                keyring.newest(),
            ],
        )?;
        change.commit()?;
        let token = keyring.sign(&claims).expect("there is a key since the database was opened");
        let NewLink { robot, role, max_viewers, note, lasts: _ } = new.clone();
        Ok((Link { id, robot, role, max_viewers, note, created: now, expires, revoked: false }, token))
    }

    pub fn revoke_link(&mut self, link: &LinkId, now: UnixTime) -> Result<(), StoreError> {
        let revoke = "UPDATE links SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL AND expires > ?2";
        let changed = self.database.execute(revoke, params![link.as_str(), now])?;
        if changed == 0 { Err(StoreError::NoLink(link.clone())) } else { Ok(()) }
    }

    /// Those that have not run out, the newest first.
    pub fn links(&self, now: UnixTime) -> Result<Vec<Link>, StoreError> {
        let mut statement = self.database.prepare_cached(
            "SELECT id, robot, role, max_viewers, note, created, expires, revoked IS NOT NULL FROM links \
             WHERE expires > ?1 ORDER BY created DESC, rowid DESC",
        )?;
        let link = |row: &Row<'_>| {
            Ok(Link {
                id: parsed(row, 0)?,
                robot: parsed(row, 1)?,
                role: named(row, 2)?,
                max_viewers: row.get::<_, Option<u32>>(3)?.and_then(NonZeroU32::new),
                note: row.get(4)?,
                created: row.get(5)?,
                expires: row.get(6)?,
                revoked: row.get(7)?,
            })
        };
        Ok(statement.query_map([now], link)?.collect::<Result<_, _>>()?)
    }

    /// Lets an operator in. Whoever has that name already gets a new key, and the one before opens nothing any more.
    pub fn add_operator(&mut self, name: &OperatorName, now: UnixTime) -> Result<OperatorKey, StoreError> {
        let key = OperatorKey::new();
        self.database.execute(
            "INSERT INTO operators (name, hash, created) VALUES (?1, ?2, ?3) \
             ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, created = excluded.created",
            params![name.as_str(), KeyHash::of_text(key.as_str()).as_bytes(), now],
        )?;
        Ok(key)
    }

    pub fn remove_operator(&mut self, name: &OperatorName) -> Result<(), StoreError> {
        let removed = self.database.execute("DELETE FROM operators WHERE name = ?1", [name.as_str()])?;
        if removed == 0 { Err(StoreError::NoOperator(name.clone())) } else { Ok(()) }
    }

    pub fn operators(&self) -> Result<Vec<(OperatorName, UnixTime)>, StoreError> {
        let mut statement = self.database.prepare_cached("SELECT name, created FROM operators ORDER BY name")?;
        let listed = statement.query_map([], |row| Ok((parsed(row, 0)?, row.get(1)?)))?;
        Ok(listed.collect::<Result<_, _>>()?)
    }

    /// The visit's token opens nothing any more.
    pub(crate) fn end_visit(&mut self, visit: &Visit, now: UnixTime) -> Result<(), StoreError> {
        let change = self.change()?;
        change.execute("DELETE FROM ended_visits WHERE expires <= ?1", [now])?;
        let end = "INSERT INTO ended_visits (id, expires) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        change.execute(end, params![visit.id.as_str(), visit.until])?;
        Ok(change.commit()?)
    }

    fn ended_visits(&self, now: UnixTime) -> Result<BTreeSet<VisitId>, StoreError> {
        let mut statement = self.database.prepare_cached("SELECT id FROM ended_visits WHERE expires > ?1")?;
        let ended = statement.query_map([now], |row| row.get(0).map(VisitId::of))?;
        Ok(ended.collect::<Result<_, _>>()?)
    }

    fn operator_keys(&self) -> Result<BTreeMap<OperatorName, KeyHash>, StoreError> {
        let mut statement = self.database.prepare_cached("SELECT name, hash FROM operators")?;
        let keys = statement.query_map([], |row| Ok((parsed(row, 0)?, row.get::<_, [u8; 32]>(1)?)))?;
        let keys = keys.map(|row| row.map(|(name, hash)| (name, KeyHash::from_array(hash))));
        Ok(keys.collect::<Result<_, _>>()?)
    }

    fn keyring(&self) -> Result<Keyring, StoreError> {
        let mut statement = self.database.prepare_cached("SELECT kid, secret FROM signing_keys")?;
        let keys = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, [u8; 32]>(1)?)))?;
        Ok(Keyring::of(keys.collect::<Result<Vec<_>, _>>()?))
    }

    fn change(&mut self) -> Result<Transaction<'_>, StoreError> {
        Ok(self.database.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }
}

enum Opening {
    File(Box<dyn std::error::Error + Send + Sync>),
    Store(StoreError),
}

impl Opening {
    fn is_busy(&self) -> bool {
        let error = match self {
            Self::Store(StoreError::Failed(error)) => Some(error),
            Self::Store(_) => None,
            Self::File(error) => error.downcast_ref::<rusqlite::Error>(),
        };
        error.and_then(rusqlite::Error::sqlite_error_code) == Some(ErrorCode::DatabaseBusy)
    }
}

impl From<io::Error> for Opening {
    fn from(error: io::Error) -> Self {
        Self::File(error.into())
    }
}

impl From<rusqlite::Error> for Opening {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.into())
    }
}

impl From<StoreError> for Opening {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn bring_up_to_date(database: &mut Connection) -> Result<(), StoreError> {
    // Two programs that begin at the same time take turns.
    let change = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = change.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let missing = usize::try_from(found).ok().and_then(|found| STEPS.get(found..));
    for step in missing.ok_or(StoreError::Newer { found })? {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "user_version", i64::try_from(STEPS.len()).expect("a few"))?;
    Ok(change.commit()?)
}

fn require(change: &Transaction<'_>, robot: &RobotId) -> Result<(), StoreError> {
    let found = change.query_row("SELECT 1 FROM robots WHERE id = ?1", [robot.as_str()], |_| Ok(())).optional()?;
    found.ok_or_else(|| StoreError::NoRobot(robot.clone()))
}

fn add_key(change: &Transaction<'_>, robot: &RobotId, now: UnixTime) -> Result<RobotKey, StoreError> {
    let key = new_key();
    let add = "INSERT INTO robot_keys (robot, hash, created) VALUES (?1, ?2, ?3)";
    change.execute(add, params![robot.as_str(), KeyHash::of(&key).as_bytes(), now])?;
    Ok(key)
}

impl ToSql for UnixTime {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for UnixTime {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(|seconds| Self(u64::try_from(seconds).unwrap_or_default()))
    }
}

/// An enum's word, as configs and tokens have it.
fn word(value: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned));
    word.expect("enums without fields are words")
}

fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.get::<_, String>(column)?.parse().map_err(|error| unreadable(column, error))
}

fn named<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_value(row.get::<_, String>(column)?.into()).map_err(|error| unreadable(column, error))
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
