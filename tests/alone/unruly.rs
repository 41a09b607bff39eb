//! Viewers that lose, that do not read and that ask without end, beside others who are none the worse for it.

use std::collections::{BTreeMap, BTreeSet};

use tests::{Conditions, Order, Picture, Processes, Puppet};

use crate::{PATIENCE, alone};

/// Ten seconds of them.
const PICTURES: usize = 300;

/// Lets everybody see some more pictures. Returns the least share that reached one of those that reached anybody: how many
/// a busy machine's camera gives does not count.
async fn watch(viewers: &mut [Puppet]) -> anyhow::Result<f64> {
    let before: Vec<usize> = viewers.iter().map(|viewer| viewer.seen().pictures.len()).collect();
    let mut all: Vec<Vec<Picture>> = Vec::new();
    for (viewer, before) in viewers.iter_mut().zip(&before) {
        let seen = viewer.until(PATIENCE, |seen| seen.pictures.len() >= before + PICTURES).await?;
        all.push(seen.pictures);
    }
    // Everybody's clock has a start of its own: a picture that everybody has seen tells how they go together.
    let shown: Vec<BTreeMap<u64, u32>> =
        all.iter().map(|pictures| pictures.iter().map(|picture| (picture.id, picture.timestamp)).collect()).collect();
    let common = all[0][before[0]..].iter().find(|picture| shown.iter().all(|shown| shown.contains_key(&picture.id)));
    let common = common.expect("a picture that all have seen");
    let since = |timestamp: u32, viewer: usize| timestamp.wrapping_sub(shown[viewer][&common.id]) as i32;
    let times: Vec<BTreeSet<i32>> = all
        .iter()
        .enumerate()
        .map(|(viewer, pictures)| pictures.iter().map(|picture| since(picture.timestamp, viewer)).collect())
        .collect();
    let end = times.iter().filter_map(|times| times.last().copied()).min().expect("everybody has seen something");
    let window = |times: &BTreeSet<i32>| times.range(0..=end).copied().collect::<BTreeSet<i32>>();
    let given: BTreeSet<i32> = times.iter().flat_map(window).collect();
    let least = times.iter().map(|times| window(times).len()).min().unwrap_or_default();
    Ok(least as f64 / given.len() as f64)
}

#[test]
fn who_loses_or_does_not_read_or_asks_without_end_costs_the_others_nothing() -> anyhow::Result<()> {
    alone(async {
        let processes = Processes::start()?;
        let join = async || -> anyhow::Result<Puppet> {
            let mut puppet = processes.puppet();
            puppet.until(PATIENCE, |seen| seen.pictures.len() >= 10).await?;
            Ok(puppet)
        };
        let mut good = Vec::new();
        for _ in 0..4 {
            good.push(join().await?);
        }
        let calm = watch(&mut good).await?;

        let (mut lossy, deaf, mut flooding) = (join().await?, join().await?, join().await?);
        let loss = Conditions { loss: 0.3, ..Conditions::PERFECT };
        lossy.order(Order::Path { down: loss, up: loss });
        deaf.order(Order::StopReading);
        // Ten thousand for a second of pictures, however long that takes here.
        flooding.order(Order::Flood(334));
        flooding.until(PATIENCE, |seen| seen.flooded > 0).await?;
        let seen = |puppet: &Puppet| puppet.seen().pictures.len();
        let before = (seen(&lossy), seen(&deaf), flooding.seen().flooded);
        let stormy = watch(&mut good).await?;
        let flooded = flooding.seen().flooded - before.2;
        assert!(stormy > 0.98 && stormy > calm - 0.02, "{calm} {stormy}");
        assert!(flooded > 50_000, "the storm is one: {flooded}");
        assert_eq!(seen(&deaf), before.1, "the deaf one is deaf");
        assert!(seen(&lossy) < before.0 + PICTURES, "the lossy one loses");
        lossy.until(PATIENCE, |seen| seen.pictures.len() > before.0 + 10).await?;
        // Who reads nothing agrees to nothing, and is given up after a while (RFC 7675).
        deaf.leave().await?;
        for puppet in good.into_iter().chain([lossy, flooding]) {
            let seen = puppet.seen();
            assert_eq!((seen.offers, seen.notices), (1, Vec::new()));
            puppet.leave().await?;
        }
        Ok(())
    })
}
