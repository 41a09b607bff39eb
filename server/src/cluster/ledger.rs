//! Keys, links and operators, which servers that belong together share: a hash in Redis has all records, and a channel says
//! which are new. What is done while Redis cannot be reached is told when it can.

use std::{collections::BTreeMap, time::Duration};

use redis::{Client, aio::MultiplexedConnection};
use tokio::{sync::watch, time::MissedTickBehavior};

use super::{
    Keys,
    connection::{AGAIN, Broken, Ears, connect},
};
use crate::auth::{BadRecord, Door, Errand, Keeper, Merged, Record, StoreError, UnixTime};

/// Puts those records into the hash that are newer than what it has, and says so.
const PUT: &str = "
    for place = 1, #ARGV, 2 do
        local name, text = ARGV[place], ARGV[place + 1]
        local known = redis.call('HGET', KEYS[1], name)
        if not known or known < text then
            redis.call('HSET', KEYS[1], name, text)
            redis.call('PUBLISH', KEYS[2], name .. '\\n' .. text)
        end
    end
";

/// How many go at once: others wait behind them.
const BATCH: usize = 256;

const LATER: Duration = Duration::from_secs(10);

/// How often it is asked whether Redis is still there.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Ledger {
    redis: Client,
    keys: Keys,
    keeper: Keeper,
    /// Changes when the store does.
    door: watch::Receiver<Door>,
    /// When what Redis knows from here was changed last.
    told: u64,
}

impl Ledger {
    pub(super) fn new(redis: Client, keys: Keys, keeper: Keeper, door: watch::Receiver<Door>) -> Self {
        Self { redis, keys, keeper, door, told: 0 }
    }

    /// Shares what there is until nobody keeps it any more.
    pub(crate) async fn run(mut self) {
        let mut complained = false;
        loop {
            let broken = self.share(&mut complained).await;
            if let Broken::Ending = broken {
                return;
            }
            // Once is enough, until it has been there again.
            if !std::mem::replace(&mut complained, true) {
                tracing::warn!(error = %broken, "keys and links are not shared with other servers");
            }
            // A disk that is full does not become larger so soon.
            let again = if let Broken::Store = broken { LATER } else { AGAIN };
            tokio::select! {
                () = tokio::time::sleep(again) => {}
                () = self.keeper.closed() => return,
            }
        }
    }

    async fn share(&mut self, complained: &mut bool) -> Broken {
        let outcome = async {
            let (mut connection, ears) = connect(&self.redis, &[self.keys.news()]).await?;
            self.read_all(&mut connection).await?;
            // It may have forgotten everything.
            self.told = 0;
            self.tell(&mut connection).await?;
            *complained = false;
            self.follow(connection, ears).await
        };
        match outcome.await {
            Ok(never) => match never {},
            Err(broken) => broken,
        }
    }

    async fn read_all(&self, connection: &mut MultiplexedConnection) -> Result<(), Broken> {
        let all: BTreeMap<String, String> = redis::cmd("HGETALL").arg(self.keys.book()).query_async(connection).await?;
        let records: Vec<Record> = all.into_iter().map(|(name, text)| Record { name, text }).collect();
        let found = records.len();
        let spent = self.merge(records).await?;
        tracing::info!(found, "keys and links are shared with other servers");
        for names in spent.chunks(BATCH) {
            let () = redis::cmd("HDEL").arg(self.keys.book()).arg(names).query_async(connection).await?;
        }
        Ok(())
    }

    async fn follow(
        &mut self,
        mut connection: MultiplexedConnection,
        mut ears: Ears,
    ) -> Result<std::convert::Infallible, Broken> {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // A line that nobody says anything on may have been cut.
                _ = look.tick() => {
                    let _: String = redis::cmd("PING").query_async(&mut connection).await?;
                }
                heard = ears.hear() => {
                    let heard = String::from_utf8(heard?).ok();
                    let record = heard.as_deref().and_then(|heard| heard.split_once('\n'));
                    let record = record.map(|(name, text)| Record { name: name.to_owned(), text: text.to_owned() });
                    self.merge(record.into_iter().collect()).await?;
                }
                changed = self.door.changed() => {
                    changed.map_err(|_| Broken::Ending)?;
                    self.tell(&mut connection).await?;
                }
            }
        }
    }

    /// Says what was changed here. What came from Redis is known there.
    async fn tell(&mut self, connection: &mut MultiplexedConnection) -> Result<(), Broken> {
        let since = self.told;
        let (errand, changed) = Errand::new(move |store| store.changed_since(since));
        self.keeper.run(errand).await;
        let (records, last) = match changed.await.map_err(|_| Broken::Ending)? {
            Ok(changed) => changed,
            Err(error) => return Err(cannot_be_kept(&error)),
        };
        for batch in records.chunks(BATCH) {
            let mut put = redis::cmd("EVAL");
            put.arg(PUT).arg(2).arg(self.keys.book()).arg(self.keys.news());
            for Record { name, text } in batch {
                put.arg(name).arg(text);
            }
            let () = put.query_async(connection).await?;
        }
        self.told = last;
        Ok(())
    }

    /// Takes what is newer than what is here. Returns the names of what is of no use to anybody any more.
    async fn merge(&self, records: Vec<Record>) -> Result<Vec<String>, Broken> {
        let (errand, merged) = Errand::new(move |store| {
            let now = UnixTime::now();
            let mut spent = Vec::new();
            for record in records {
                match store.merge(&record, now) {
                    Ok(Merged::Spent) => spent.push(record.name),
                    Ok(Merged::Taken | Merged::Known) => {}
                    Err(BadRecord::Store(error)) => return Err(error),
                    Err(error) => tracing::warn!(%error, "a record of another server's was left alone"),
                }
            }
            Ok(spent)
        });
        self.keeper.run(errand).await;
        merged.await.map_err(|_| Broken::Ending)?.map_err(|error| cannot_be_kept(&error))
    }
}

/// All of it is told again, and taken, when it can be.
fn cannot_be_kept(error: &StoreError) -> Broken {
    tracing::error!(error = error as &dyn std::error::Error, "keys and links of other servers cannot be kept");
    Broken::Store
}
