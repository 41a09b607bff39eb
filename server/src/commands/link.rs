//! `server link …`

use std::{
    num::NonZeroU32,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::Context;
use protocol::{LinkId, RobotId};
use qrcode::{QrCode, render::unicode::Dense1x2};

use super::{Address, table, warning};
use crate::{
    auth::{Link, NewLink, Role, Rotation, Store, UnixTime, check_lasts, check_note},
    config::Config,
};

#[derive(Clone, Debug, clap::Subcommand)]
pub enum LinkCommand {
    /// Prints a link by which a robot can be watched
    New {
        #[arg(long)]
        robot: RobotId,
        #[arg(long, value_enum, default_value = "watch")]
        role: Role,
        /// How long it is good for, as in 2h, 30min or 7days
        #[arg(long = "for", value_name = "TIME", value_parser = lasts)]
        lasts: Duration,
        /// How many may watch by it at the same time
        #[arg(long, value_name = "NUMBER")]
        max_viewers: Option<NonZeroU32>,
        /// Whom or what it is for, to know it again in the list
        #[arg(long, default_value = "", value_name = "TEXT", value_parser = note)]
        note: String,
    },
    /// Shows all links that have not run out
    List,
    /// Takes a link back: who watches by it leaves
    Revoke { link: LinkId },
    /// Signs links with a new key from now on; those that there are stay good until they run out
    RotateKey {
        /// Takes back all links, whatever else has signed any: somebody else may have the key
        #[arg(long)]
        revoke_all: bool,
    },
}

impl LinkCommand {
    /// What is printed.
    pub fn run(self, config: &Config, now: UnixTime) -> anyhow::Result<String> {
        let mut store = Store::open(&config.state_dir).context("open what is known of links")?;
        let said = match self {
            Self::New { robot, role, lasts, max_viewers, note } => {
                let (link, token) = store.add_link(&NewLink { robot, role, max_viewers, lasts, note }, now)?;
                let address = Address::of(config);
                let url = address.url.clone() + &link.path(&token);
                format!(
                    "{url}\n\n{}\nLink {} to {} robot {}, until {}.\n{}",
                    drawn(&url),
                    link.id,
                    verb(link.role),
                    link.robot,
                    when(link.expires),
                    address.hint()
                )
            }
            Self::List => list(&store.links(now)?),
            Self::Revoke { link } => {
                store.revoke_link(&link, now)?;
                format!("Link {link} opens nothing any more; who watches by it leaves within seconds.\n")
            }
            Self::RotateKey { revoke_all: false } => {
                store.rotate_link_key(Rotation::Overlapping, now)?;
                "Links are signed with a new key. Those that there are stay good until they run out.\n".to_owned()
            }
            Self::RotateKey { revoke_all: true } => {
                let links = store.rotate_link_key(Rotation::AtOnce, now)?;
                format!(
                    "Links are signed with a new key, and the {links} that were good open nothing any more; who watches by \
                     one leaves within seconds. Operators have to show their keys at /admin again.\n"
                )
            }
        };
        Ok(said + warning(config))
    }
}

fn lasts(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    Ok(check_lasts(time)?)
}

fn note(text: &str) -> Result<String, &'static str> {
    check_note(text)?;
    Ok(text.to_owned())
}

/// For a phone's camera. A link that is too long for one does without.
fn drawn(url: &str) -> String {
    // Light on dark as most terminals are: cameras take either.
    QrCode::new(url).map(|code| code.render::<Dense1x2>().build() + "\n").unwrap_or_default()
}

fn verb(role: Role) -> &'static str {
    match role {
        Role::Watch => "watch",
        Role::Operate => "operate",
    }
}

fn when(UnixTime(seconds): UnixTime) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

fn list(links: &[Link]) -> String {
    if links.is_empty() {
        return "There is no link: `server link new` makes one.\n".to_owned();
    }
    let head = ["link", "robot", "role", "until", "viewers", "note"].map(str::to_owned).to_vec();
    let rows = links.iter().map(|link| {
        let until = if link.revoked { "taken back".to_owned() } else { when(link.expires) };
        let viewers = link.max_viewers.map_or("any".to_owned(), |max| format!("{max} at a time"));
        let [id, robot] = [link.id.to_string(), link.robot.to_string()];
        vec![id, robot, verb(link.role).to_owned(), until, viewers, link.note.clone()]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
