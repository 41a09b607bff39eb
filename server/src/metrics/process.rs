//! What the kernel knows of this process, and what runs in it. What the kernel does not tell is left out.

use std::{fs, path::Path};

use tokio::runtime::Handle;

use super::{Kind, Text};

/// What `/proc` counts processor time in: 100 a second on every architecture that this runs on (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    open_files: Option<u64>,
    most_open_files: Option<u64>,
    resident_bytes: Option<u64>,
    threads: Option<u64>,
    tasks: Option<u64>,
    processor_seconds: Option<f64>,
}

/// Reads some small files, of which none waits for a disk.
pub(crate) fn usage() -> Usage {
    let runtime = Handle::try_current().ok();
    let tasks = runtime.and_then(|runtime| u64::try_from(runtime.metrics().num_alive_tasks()).ok());
    Usage { tasks, ..of(Path::new("/proc/self")) }
}

fn of(process: &Path) -> Usage {
    let read = |name| fs::read_to_string(process.join(name)).unwrap_or_default();
    let (status, limits, stat) = (read("status"), read("limits"), read("stat"));
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    // The one that looks is open as well.
    let files = fs::read_dir(process.join("fd")).ok().map(|files| files.count().saturating_sub(1));
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    Usage {
        open_files: files.and_then(|files| u64::try_from(files).ok()),
        most_open_files: limit.and_then(|limits| limits.split_whitespace().next()?.parse().ok()),
        resident_bytes: field("VmRSS").map(|kib| kib * 1024),
        threads: field("Threads"),
        tasks: None,
        processor_seconds: processor_seconds(&stat),
    }
}

/// The fields 14 and 15 of `proc_pid_stat(5)`. The second is the program's name, in which there may be anything.
fn processor_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

impl Usage {
    pub(crate) fn write(&self, text: &mut Text) {
        let mut gauge = |name, help, value: Option<u64>| {
            if let Some(value) = value {
                text.family(name, Kind::Gauge, help).count(&[], value);
            }
        };
        gauge("panocast_process_open_fds", "Open files and sockets.", self.open_files);
        gauge("panocast_process_max_fds", "Open files and sockets that there may be.", self.most_open_files);
        gauge("panocast_process_resident_memory_bytes", "Memory that is in use.", self.resident_bytes);
        gauge("panocast_process_threads", "Threads.", self.threads);
        gauge("panocast_process_tasks", "Tasks of the runtime: some per connection.", self.tasks);
        if let Some(seconds) = self.processor_seconds {
            let help = "Processor time that was spent.";
            text.family("panocast_process_cpu_seconds_total", Kind::Counter, help).sample(&[], seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn linux_tells_all_of_it_and_of_nobody_nothing() {
        let usage = usage();
        assert!(usage.open_files.is_some_and(|files| (3..100_000).contains(&files)), "{usage:?}");
        assert!(usage.most_open_files >= usage.open_files, "{usage:?}");
        assert!(usage.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{usage:?}");
        assert!(usage.threads > Some(0) && usage.tasks.is_some() && usage.processor_seconds.is_some(), "{usage:?}");
        assert_eq!(of(Path::new("/nonexistent")), Usage::default());
    }

    #[test]
    fn a_programs_name_may_look_like_numbers() {
        let stat = "7 (a) S 1 (x) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0";
        assert_eq!(processor_seconds(stat), Some(3.0));
        assert_eq!(processor_seconds(""), None);
    }
}
