//! The machine: which core a process has, and what it takes of it.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::Context;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit},
    unistd::Pid,
};

/// The cores that we may use.
pub(crate) fn cores() -> anyhow::Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).context("which cores may we use?")?;
    Ok((0..CpuSet::count()).filter(|core| allowed.is_set(*core) == Ok(true)).collect())
}

/// Keeps this thread, and those that it will start, on one core.
pub(crate) fn pin(core: usize) -> anyhow::Result<()> {
    let mut only = CpuSet::new();
    only.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &only).context("stay on one core")
}

/// As many descriptors as this process may have.
pub(crate) fn lift_limits() -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raise the limit of open files")
}

fn cpu(who: UsageWho) -> anyhow::Result<Duration> {
    let usage = getrusage(who).context("processor time")?;
    let micros = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).context("time goes forward")
    };
    Ok(Duration::from_micros(micros(usage.user_time())? + micros(usage.system_time())?))
}

/// Processor time of this thread so far.
pub(crate) fn thread_cpu() -> anyhow::Result<Duration> {
    cpu(UsageWho::RUSAGE_THREAD)
}

/// Processor time of all of this process.
pub(crate) fn process_cpu() -> anyhow::Result<Duration> {
    cpu(UsageWho::RUSAGE_SELF)
}

/// Processor time of this process's living threads by their names.
pub(crate) fn threads_cpu() -> anyhow::Result<BTreeMap<String, Duration>> {
    let mut threads = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let path = thread?.path();
        // A thread may end while it is looked at.
        let (Ok(name), Ok(times)) = (fs::read_to_string(path.join("comm")), fs::read_to_string(path.join("schedstat")))
        else {
            continue;
        };
        let on_core = times.split_whitespace().next().context("schedstat begins with the time on a core")?;
        *threads.entry(name.trim().to_owned()).or_default() += Duration::from_nanos(on_core.parse()?);
    }
    Ok(threads)
}

/// KiB of memory that this process has in use.
pub(crate) fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Datagrams that sockets of these ports had no room for.
pub(crate) fn overflowed(ours: impl Fn(u16) -> bool) -> anyhow::Result<u64> {
    let table = fs::read_to_string("/proc/net/udp")?;
    let drops = table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace();
        let port = columns.nth(1)?.rsplit_once(':')?.1;
        let port = u16::from_str_radix(port, 16).ok()?;
        columns.next_back()?.parse::<u64>().ok().filter(|_| ours(port))
    });
    Ok(drops.sum())
}

/// The processor's name.
pub(crate) fn name() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split_once(':'));
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    format!("{}, {cores} cores", model.map_or("unknown", |(_, name)| name.trim()))
}
