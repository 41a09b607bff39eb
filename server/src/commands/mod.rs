//! What an operator does at a prompt, beside a server that may be running: it sees the change within a second.

mod link;
mod operator;
mod robot;

use std::net::SocketAddr;

use crate::config::{AuthMode, Config};
pub use link::LinkCommand;
pub use operator::OperatorCommand;
pub use robot::RobotCommand;

/// Where viewers reach the server, and whether that is only a guess.
struct Address {
    url: String,
    guessed: bool,
}

impl Address {
    fn of(config: &Config) -> Self {
        match &config.public_url {
            Some(url) => Self { url: url.to_string(), guessed: false },
            None => Self { url: format!("{}://{}", config.scheme(), reachable(config.listen)), guessed: true },
        }
    }

    /// What to say beside an address that may be wrong.
    fn hint(&self) -> &'static str {
        if self.guessed { "\nThe address is a guess: public_url in the config says what it is.\n" } else { "" }
    }
}

/// Nobody can go to "every address".
fn reachable(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() { format!("localhost:{}", listen.port()) } else { listen.to_string() }
}

/// What to say where keys and links change nothing.
fn warning(config: &Config) -> &'static str {
    match config.auth.mode {
        AuthMode::Open => "\nWARNING: auth.mode is \"open\": everybody gets in without. Set it to \"keys\".\n",
        AuthMode::Keys => "",
    }
}

/// Columns as wide as what is in them.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TlsMode;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["robot", "x"], ["r1", "yes"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "robot  x\nr1     yes\n");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn links_lead_to_where_the_server_is_reached() {
        let mut config = Config::default();
        let address = Address::of(&config);
        assert_eq!((address.url.as_str(), address.guessed), ("http://127.0.0.1:8080", true));
        config.listen = "0.0.0.0:8443".parse().expect("an address");
        config.tls.mode = TlsMode::SelfSigned { names: Vec::new() };
        assert_eq!(Address::of(&config).url, "https://localhost:8443");
        config.public_url = Some("https://cam.example".parse().expect("an origin"));
        let address = Address::of(&config);
        assert_eq!((address.url.as_str(), address.guessed), ("https://cam.example", false));
    }
}
