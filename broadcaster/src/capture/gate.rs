//! Whether what an encoder gives is wanted.

use std::sync::{Mutex, PoisonError};

#[derive(Clone, Copy, Debug)]
enum State {
    Resting,
    /// Nothing has passed yet: after so many units, only a keyframe can be the first.
    Starting(u8),
    Running,
}

/// Opened and closed by the capture task, asked by the encoder's thread. The lock is held for a comparison only.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    run_in: u8,
}

impl Gate {
    /// `run_in` is how many units an encoder gives in the beginning that are none of the run's own.
    pub(super) fn closed(run_in: u8) -> Self {
        Self { state: Mutex::new(State::Resting), run_in }
    }

    pub(super) fn open(&self) {
        self.set(State::Starting(self.run_in));
    }

    pub(super) fn close(&self) {
        self.set(State::Resting);
    }

    pub(super) fn admits(&self, keyframe: bool) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (*state, keyframe) {
            (State::Resting, _) | (State::Starting(0), false) => false,
            (State::Starting(0), true) => {
                *state = State::Running;
                true
            }
            (State::Starting(run_in), _) => {
                *state = State::Starting(run_in - 1);
                false
            }
            (State::Running, _) => true,
        }
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_begins_with_a_keyframe() {
        let gate = Gate::closed(0);
        assert!(!gate.admits(true));
        for _ in 0..2 {
            gate.open();
            assert!(!gate.admits(false), "nothing to decode it by");
            assert!(gate.admits(true) && gate.admits(false));
            gate.close();
            assert!(!gate.admits(false) && !gate.admits(true));
        }
    }

    #[test]
    fn the_run_in_does_not_pass() {
        let gate = Gate::closed(1);
        gate.open();
        assert!(!gate.admits(true) && gate.admits(true));
    }
}
