//! Strangers at the robot's media port.

use tests::{Attack, Processes, Puppet};

use crate::{PATIENCE, alone};

const GROUPS: usize = 5;
const TOGETHER: usize = 20;

#[test]
fn a_thousand_forgeries_a_second_spoil_none_of_a_hundred_joins_and_end_nothing() -> anyhow::Result<()> {
    alone(async {
        let processes = Processes::start()?;
        let mut witness = processes.puppet();
        let seen = witness.until(PATIENCE, |seen| !seen.offer.is_empty()).await?;
        let attack = Attack::start(&seen, 1000.try_into()?).await?;
        witness.until(PATIENCE, |seen| seen.pictures.len() >= 10).await?;

        let mut forged = Vec::new();
        for _ in 0..GROUPS {
            let before = attack.sent();
            let mut group: Vec<Puppet> = (0..TOGETHER).map(|_| processes.puppet()).collect();
            for puppet in &mut group {
                attack.aim(&puppet.until(PATIENCE, |seen| !seen.offer.is_empty()).await?);
            }
            for puppet in &mut group {
                let seen = puppet.until(PATIENCE, |seen| seen.pictures.len() >= 20).await?;
                assert_eq!((seen.offers, seen.notices), (1, Vec::new()));
            }
            forged.push(attack.sent() - before);
            for puppet in group {
                puppet.leave().await?;
            }
        }
        let before = witness.seen().pictures.len();
        let seen = witness.until(PATIENCE, |seen| seen.pictures.len() >= before + 60).await?;
        assert_eq!((seen.offers, seen.notices), (1, Vec::new()));
        assert!(forged.iter().all(|forged| *forged > 100), "{forged:?}");
        witness.leave().await?;
        attack.stop().await
    })
}
