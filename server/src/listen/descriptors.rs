//! Files that this process may have open; a connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is neither a connection nor the relay's: the store, listeners, the runtime's own.
const OTHERS: usize = 128;

/// Takes as many as the system lets it, since what is usual (1024) is meant for programs that know no better. Returns for how
/// many connections they do beside the relay, which may have so many.
pub(crate) fn raise(relays: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!(%error, "the limit of open files could not be raised");
    }
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    left(limit.unwrap_or(usize::MAX), relays)
}

fn left(limit: usize, relays: usize) -> usize {
    limit.saturating_sub(OTHERS).saturating_sub(relays).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_has_its_part_and_somebody_gets_in_all_the_same() {
        assert_eq!(left(4096, 2002), 4096 - 128 - 2002);
        assert_eq!((left(1024, 2002), left(usize::MAX, 0)), (1, usize::MAX - 128));
    }
}
