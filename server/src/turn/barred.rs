//! Whose credentials were taken back before their time. They are signed, and hold as far as anybody can tell by looking at them.

use std::collections::{HashMap, VecDeque};

use super::credentials::{Name, UnixTime};

/// Of more, those who were barred first are forgotten: then their credentials end when they say that they do.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Barred {
    /// Credentials that end by then are good for nothing, those made later are.
    until: HashMap<String, UnixTime>,
    /// The first is the one barred longest.
    order: VecDeque<String>,
}

impl Barred {
    pub(super) fn add(&mut self, holder: String, until: UnixTime) {
        if let Some(former) = self.until.get_mut(&holder) {
            *former = until.max(*former);
            return;
        }
        self.until.insert(holder.clone(), until);
        self.order.push_back(holder);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.until.remove(&oldest);
        }
    }

    pub(super) fn has(&self, name: &Name<'_>) -> bool {
        self.until.get(name.holder).is_some_and(|until| name.until <= *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_barred_credentials_is_good_and_memory_has_an_end() {
        let mut barred = Barred::default();
        barred.add("demo".to_owned(), 20);
        barred.add("demo".to_owned(), 10);
        let has = |barred: &Barred, until, holder| barred.has(&Name { until, holder });
        assert!(has(&barred, 10, "demo") && has(&barred, 20, "demo"));
        assert!(!has(&barred, 21, "demo") && !has(&barred, 10, "demo/1"));
        for number in 0..MOST {
            barred.add(format!("demo/{number}"), UnixTime::MAX);
        }
        assert!(!has(&barred, 10, "demo"), "the oldest is forgotten");
        assert!(has(&barred, 10, "demo/0") && has(&barred, 10, &format!("demo/{}", MOST - 1)));
        assert_eq!((barred.until.len(), barred.order.len()), (MOST, MOST));
    }
}
