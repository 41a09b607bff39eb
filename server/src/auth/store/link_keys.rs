//! The keys that links are signed with: each follows another, and is forgotten when nothing it has signed is good any more.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Rotation, Store, StoreError};
use crate::auth::{UnixTime, token::Keyring};

/// Operators' visits are signed with them, too, and last less than a day.
const VISITS_LAST: u64 = 24 * 3600;

impl Store {
    /// Signs with a new key from now on. Returns how many links that takes back: none if the former keys go on.
    pub fn rotate_link_key(&mut self, rotation: Rotation, now: UnixTime) -> Result<usize, StoreError> {
        let change = self.change()?;
        // Keys' names sort by age, and no link that there is was made after the new one: not even if the clock was set back.
        let last = change.query_row("SELECT max(kid) FROM signing_keys", [], |row| row.get::<_, Option<String>>(0))?;
        let last = last.and_then(|kid| Keyring::made(&kid));
        let link: Option<UnixTime> = change.query_row("SELECT max(created) FROM links", [], |row| row.get(0))?;
        let created = now.max(link.unwrap_or(now));
        let (kid, secret) =
            Keyring::new_key(last.map_or(created, |last| created.max(UnixTime(last.0.saturating_add(1)))));
        let revoked = match rotation {
            Rotation::Overlapping => 0,
            Rotation::AtOnce => {
                change.execute("DELETE FROM signing_keys", [])?;
                let revoke = "UPDATE links SET revoked = ?1 WHERE revoked IS NULL AND expires > ?1";
                change.execute(revoke, [now])?
            }
        };
        let add = "INSERT INTO signing_keys (kid, secret, created) VALUES (?1, ?2, ?3)";
        change.execute(add, params![kid, secret, created])?;
        forget_spent(&change, now)?;
        change.commit()?;
        Ok(revoked)
    }

    /// The first key, if there is none yet.
    pub(super) fn ensure_link_key(&mut self, now: UnixTime) -> Result<(), StoreError> {
        let change = self.change()?;
        let some = change.query_row("SELECT 1 FROM signing_keys", [], |_| Ok(())).optional()?;
        if some.is_none() {
            let (kid, secret) = Keyring::new_key(now);
            let add = "INSERT INTO signing_keys (kid, secret, created) VALUES (?1, ?2, ?3)";
            change.execute(add, params![kid, secret, now])?;
        }
        forget_spent(&change, now)?;
        Ok(change.commit()?)
    }
}

/// A key is of use while a link is good that it has signed: where that is not known, one that is as old as its successor, or older.
fn forget_spent(change: &Transaction<'_>, now: UnixTime) -> Result<(), StoreError> {
    let spent = "DELETE FROM signing_keys WHERE EXISTS (SELECT 1 FROM signing_keys AS next WHERE next.kid > signing_keys.kid \
                 AND next.created <= ?2 AND NOT EXISTS (SELECT 1 FROM links WHERE expires > ?1 AND revoked IS NULL \
                 AND (links.kid = signing_keys.kid OR links.kid IS NULL AND links.created <= next.created)))";
    change.execute(spent, params![now, UnixTime(now.0.saturating_sub(VISITS_LAST))])?;
    Ok(())
}
