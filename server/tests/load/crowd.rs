//! Many who watch and say nothing, and many who come at once.

use std::{pin::pin, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    client::Client,
    support::{PER_ADDRESS, Running, quantile},
};

/// Bytes of memory that one idle watcher may cost the server. Builds for development have larger tasks.
const EACH: u64 = if cfg!(debug_assertions) { 24_000 } else { 20_000 };

const JOINED_WITHIN: Duration = Duration::from_millis(500);

/// Who joins while so many others do.
const AT_ONCE: usize = 64;

/// Longer than from one heartbeat to the next.
const ROUND: Duration = Duration::from_secs(12);

fn room_for(watchers: usize) -> String {
    let room = watchers + 1000;
    // Whoever has gone is soon forgotten here.
    format!(
        "[limits]\nmax_viewers = {room}\nmax_connections = {room}\nmax_connections_per_address = {PER_ADDRESS}\n\
         session_grace = \"1s\"\n"
    )
}

/// A server with a robot that takes what it is told, and whoever comes to watch it.
struct Crowd {
    server: Running,
    watchers: JoinSet<()>,
}

impl Crowd {
    async fn on_one_core(watchers: usize) -> Self {
        let server = Running::on_one_core(&room_for(watchers)).await;
        let mut robot = server.robot().await;
        let mut crowd = Self { server, watchers: JoinSet::new() };
        crowd.watchers.spawn(async move { robot.ended().await });
        crowd
    }

    /// They answer heartbeats from then on.
    async fn join(&mut self, numbers: std::ops::Range<usize>) {
        let Self { server, watchers } = self;
        let joining = stream::iter(numbers).map(|number| server.watcher(number));
        let mut joining = pin!(joining.buffer_unordered(AT_ONCE));
        while let Some(mut watcher) = joining.next().await {
            watchers.spawn(async move { watcher.ended().await });
        }
    }

    /// Lets time pass in which everybody says nothing but that they are there.
    async fn idle(&mut self, time: Duration) {
        let left = timeout(time, self.watchers.join_next()).await;
        assert!(left.is_err(), "somebody was not served any more");
    }
}

/// What each of so many costs, in bytes.
async fn memory_of(watchers: usize) -> u64 {
    // What is needed for the first ones is there for all.
    const FIRST: usize = 100;
    let mut crowd = Crowd::on_one_core(watchers + FIRST).await;
    crowd.join(0..FIRST).await;
    let before = crowd.server.footprint();
    crowd.join(FIRST..FIRST + watchers).await;
    crowd.idle(ROUND).await;
    crowd.server.knows_of(FIRST + watchers + 1, FIRST + watchers).await;
    let after = crowd.server.footprint();
    let each = after.resident.saturating_sub(before.resident) / watchers as u64;
    println!("{watchers} watchers: {each} bytes each; {} in all", after.resident);
    each
}

#[tokio::test]
async fn an_idle_watcher_takes_little_memory() {
    let each = memory_of(1500).await;
    assert!(each <= EACH, "{each} bytes");
}

/// From before a connection is made to the answer that its viewer may watch.
async fn joins(crowd: &Crowd, numbers: std::ops::Range<usize>) -> Vec<Duration> {
    let join = |number| async move {
        let began = Instant::now();
        (crowd.server.watcher(number).await, began.elapsed())
    };
    let all = numbers.len();
    let joined: Vec<(Client, Duration)> = stream::iter(numbers).map(join).buffer_unordered(all).collect().await;
    joined.into_iter().map(|(_, took)| took).collect()
}

#[tokio::test]
#[ignore = "measures"]
async fn ten_thousand_idle_watchers_fit_on_one_core_and_five_hundred_join_at_once() {
    const WATCHERS: usize = 10_000;
    const JOINING: usize = 500;
    let mut crowd = Crowd::on_one_core(WATCHERS + JOINING).await;
    let mut worst = Vec::new();
    for _ in 0..5 {
        let mut times = joins(&crowd, WATCHERS..WATCHERS + JOINING).await;
        worst.push(quantile(&mut times, 0.99));
        crowd.server.knows_of(1, 0).await;
    }
    println!("{JOINING} who join at once, p99 of five times: {worst:?}");
    let joined = quantile(&mut worst, 0.5);

    let before = crowd.server.footprint();
    crowd.join(0..WATCHERS).await;
    crowd.idle(ROUND).await;
    let (start, began) = (crowd.server.footprint(), Instant::now());
    crowd.idle(ROUND * 2).await;
    let (end, took) = (crowd.server.footprint(), began.elapsed());
    crowd.server.knows_of(WATCHERS + 1, WATCHERS).await;
    let each = end.resident.saturating_sub(before.resident) / WATCHERS as u64;
    let share = (end.cpu - start.cpu).as_secs_f64() / took.as_secs_f64();
    println!("{WATCHERS} idle watchers: {each} bytes each, {:.1} % of a core", share * 100.0);

    let mut beside = Vec::new();
    for _ in 0..5 {
        let mut times = joins(&crowd, WATCHERS..WATCHERS + JOINING).await;
        beside.push(quantile(&mut times, 0.99));
        crowd.server.knows_of(WATCHERS + 1, WATCHERS).await;
    }
    println!("{JOINING} who join at once beside them, p99 of five times: {beside:?}");
    let beside = quantile(&mut beside, 0.5);
    assert!(each <= EACH, "{each} bytes");
    assert!(share < 0.5, "{share}");
    assert!(joined <= JOINED_WITHIN, "{joined:?}");
    assert!(beside <= JOINED_WITHIN, "{beside:?} beside the others");
}
