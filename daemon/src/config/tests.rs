//! Where secrets may come from, and what is said of those that may not. Files and variables are made up.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use super::*;
use crate::secret::Secret;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sample {
    listen: Option<std::net::SocketAddr>,
    key: Option<Key>,
    turn: Turn,
    ice: Ice,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Turn {
    shared_secret: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ice {
    servers: Vec<Server>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    #[expect(dead_code, reason = "it is there to be required")]
    url: String,
    credential: Option<Secret>,
}

/// A secret with a shape of its own.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Secret")]
struct Key(Secret);

impl TryFrom<Secret> for Key {
    type Error = &'static str;

    fn try_from(secret: Secret) -> Result<Self, Self::Error> {
        if secret.expose().starts_with("pk_") { Ok(Self(secret)) } else { Err("a key begins with pk_") }
    }
}

const SECRETS: &[&str] = &["key", "turn.shared_secret", "ice.servers.*.credential"];
const CONFIG: &str = "/etc/sample/sample.toml";

/// A machine on which this process is user and group 1000.
#[derive(Default)]
struct Machine {
    files: BTreeMap<PathBuf, (u32, Vec<u8>)>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Machine {
    fn with(config: &str) -> Self {
        Self::default().file(CONFIG, 0o644, config)
    }

    fn file(mut self, path: &str, mode: u32, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.into(), (mode, text.as_ref().to_vec()));
        self
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn surroundings(self) -> Surroundings {
        let Self { files, variables } = self;
        let read = move |path: &Path| {
            let missing = || FileError::Unreadable(std::io::ErrorKind::NotFound.into());
            let (mode, bytes) = files.get(path).cloned().ok_or_else(missing)?;
            Ok(Found { bytes, access: Access { mode, group: 1000 } })
        };
        Surroundings {
            variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
            reader: Identity { user: 1000, groups: [1000].into() },
            read: Box::new(read),
        }
    }

    fn load(self) -> Loaded<Sample> {
        load(Some(Path::new(CONFIG)), SECRETS, &self.surroundings()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn without_config(self) -> Loaded<Sample> {
        load(None, SECRETS, &self.surroundings()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The sentence, with its causes. It holds no secret of these tests.
    fn refused(self) -> String {
        let error = load::<Sample>(Some(Path::new(CONFIG)), SECRETS, &self.surroundings()).expect_err("refused");
        let mut sentence = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            sentence += &format!(": {error}");
            cause = error.source();
        }
        assert!(!sentence.contains("hunter2") && !sentence.contains('\n'), "{sentence}");
        sentence
    }
}

fn shared(loaded: &Loaded<Sample>) -> Option<&str> {
    loaded.config.turn.shared_secret.as_ref().map(Secret::expose)
}

#[track_caller]
fn assert_says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
}

#[test]
fn a_secret_is_in_the_config_in_a_file_or_in_the_environment() {
    let inline = Machine::default().file(CONFIG, 0o600, "[turn]\nshared_secret = \"hunter2\"").load();
    let file = "[turn]\nshared_secret_file = \"/run/secret\"";
    let file = Machine::with(file).file("/run/secret", 0o440, "hunter2\r\n").load();
    let variable = Machine::with("[turn]").variable("PANOCAST_TURN_SHARED_SECRET", "hunter2").load();
    let without_section = Machine::with("# no section").variable("PANOCAST_TURN_SHARED_SECRET", "hunter2").load();
    let without_config = Machine::default().variable("PANOCAST_TURN_SHARED_SECRET", "hunter2").without_config();
    for (loaded, place) in [
        (&inline, "in the config"),
        (&file, "from /run/secret (mode 0440)"),
        (&variable, "from the environment's PANOCAST_TURN_SHARED_SECRET"),
        (&without_section, "from the environment's PANOCAST_TURN_SHARED_SECRET"),
        (&without_config, "from the environment's PANOCAST_TURN_SHARED_SECRET"),
    ] {
        assert_eq!(shared(loaded), Some("hunter2"), "{place}");
        let [Given { key, place: found }] = &loaded.secrets[..] else { panic!("{:?}", loaded.secrets) };
        assert_eq!((key.as_str(), found.to_string().as_str()), ("turn.shared_secret", place));
        assert_eq!(loaded.warnings, [""; 0]);
        assert!(!format!("{loaded:?}").contains("hunter2"));
    }
    assert_eq!(shared(&Machine::with("[turn]").load()), None);
}

#[test]
fn secrets_in_lists_are_counted_from_one() {
    let loaded = Machine::with("[ice]\nservers = [{ url = \"a\" }, { url = \"b\", credential_file = \"b.secret\" }]")
        .file("/etc/sample/b.secret", 0o600, "of b")
        .variable("PANOCAST_ICE_SERVERS_1_CREDENTIAL", "of a")
        .load();
    let credentials: Vec<_> = loaded.config.ice.servers.iter().map(|server| server.credential.clone()).collect();
    assert_eq!(credentials, [Some(Secret::from("of a".to_owned())), Some(Secret::from("of b".to_owned()))]);
    assert_eq!(loaded.secrets[1].key, "ice.servers.2.credential");
    let tables = "[[ice.servers]]\nurl = \"a\"\ncredential = \"x\"\ncredential_file = \"y\"";
    assert_says(&Machine::with(tables).refused(), &["ice.servers.1.credential is given more than once"]);
}

#[test]
fn a_credential_of_systemd_is_found_by_the_name_that_units_have_for_it() {
    let config = "[turn]\nshared_secret_file = \"%d/turn\"";
    let loaded = Machine::with(config)
        .variable("CREDENTIALS_DIRECTORY", "/run/credentials/sample.service")
        .file("/run/credentials/sample.service/turn", 0o400, "hunter2")
        .load();
    assert_eq!((shared(&loaded), &loaded.warnings[..]), (Some("hunter2"), &[][..]));
    assert_says(&Machine::with(config).refused(), &["turn.shared_secret_file", "%d/turn", "systemd"]);
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let exposed = Machine::with("[turn]\nshared_secret = \"hunter2\"").refused();
    assert_says(&exposed, &["turn.shared_secret", CONFIG, "everybody", "0644", "chmod 640"]);
    let file = "[turn]\nshared_secret_file = \"/run/secret\"";
    let exposed = Machine::with(file).file("/run/secret", 0o604, "hunter2").refused();
    assert_says(&exposed, &["turn.shared_secret", "/run/secret", "everybody", "0604", "chmod 640 /run/secret"]);
    let writable = Machine::with(file).file("/run/secret", 0o660, "hunter2").refused();
    assert_says(&writable, &["turn.shared_secret", "its group", "0660", "chmod 640"]);
    // A config that holds none may be seen by everybody, also if it says where one is.
    assert_eq!(Machine::with(file).file("/run/secret", 0o640, "x").load().warnings, [""; 0]);
}

#[test]
fn one_secret_has_one_place() {
    let both = "[turn]\nshared_secret = \"hunter2\"\nshared_secret_file = \"/run/secret\"";
    assert_says(
        &Machine::with(both).refused(),
        &["turn.shared_secret", "by shared_secret in the config and by shared_secret_file in the config", "keep one"],
    );
    let inline = "[turn]\nshared_secret = \"hunter2\"";
    let twice = Machine::with(inline).variable("PANOCAST_TURN_SHARED_SECRET", "hunter2").refused();
    assert_says(&twice, &["shared_secret in the config and by PANOCAST_TURN_SHARED_SECRET in the environment"]);
}

#[test]
fn what_is_no_secret_is_refused_with_its_place() {
    let named = || Machine::with("[turn]\nshared_secret_file = \"/run/secret\"");
    assert_says(&named().refused(), &["turn.shared_secret_file", "/run/secret", "cannot be read", "not found"]);
    assert_says(&named().file("/run/secret", 0o600, "\n").refused(), &["turn.shared_secret from /run/secret", "empty"]);
    assert_says(&named().file("/run/secret", 0o600, "hunter2\nx").refused(), &["/run/secret", "single line"]);
    assert_says(&named().file("/run/secret", 0o600, b"\xff").refused(), &["/run/secret", "UTF-8"]);
    assert_says(&named().file("/run/secret", 0o600, "x".repeat(4097)).refused(), &["/run/secret", "4096"]);
    let empty = Machine::with("").file(CONFIG, 0o600, "#").variable("PANOCAST_TURN_SHARED_SECRET", "").refused();
    assert_says(&empty, &["turn.shared_secret", "PANOCAST_TURN_SHARED_SECRET", "empty"]);
    assert_says(&Machine::with("[turn]\nshared_secret = 5").refused(), &["turn.shared_secret", "quotes"]);
    assert_says(&Machine::with("[turn]\nshared_secret_file = 5").refused(), &["turn.shared_secret_file", "quotes"]);
}

#[test]
fn a_secret_of_the_wrong_shape_is_named_with_its_place_and_not_shown() {
    let variable = Machine::with("#").variable("PANOCAST_KEY", "hunter2").refused();
    assert_eq!(variable, "key from the environment's PANOCAST_KEY: a key begins with pk_");
    let file = Machine::with("key_file = \"/run/key\"\n[ice]").file("/run/key", 0o600, "hunter2").refused();
    assert_eq!(file, "key from /run/key (mode 0600): a key begins with pk_");
    let inline = Machine::default().file(CONFIG, 0o600, "\nkey = \"hunter2\"").refused();
    assert_eq!(inline, "line 2: key: a key begins with pk_");
    let right = Machine::with("#").variable("PANOCAST_KEY", "pk_x").load();
    assert_eq!(right.config.key.map(|Key(key)| key.expose().to_owned()).as_deref(), Some("pk_x"));
}

#[test]
fn what_is_wrong_is_named_by_line_and_key_without_the_line() {
    let typo = Machine::with("listen = \"[::]:1\"\n\n[turn]\nshared_secert = \"hunter2\"").refused();
    assert_says(&typo, &["line 4: turn.shared_secert: ", "unknown field", "`shared_secret`"]);
    let syntax = Machine::with("[turn]\nshared_secret = \"hunter2\" x").refused();
    assert_says(&syntax, &["line 2: "]);
    let quotes = Machine::with("[turn]\nshared_secret = hunter2\n").refused();
    assert_says(&quotes, &["line 2: ", "quoted"]);
    let value = Machine::with("listen = \"localhost\"").refused();
    assert_eq!(value, "line 1: listen is \"localhost\": invalid socket address syntax");
    let missing = Machine::with("#\n[ice]\nservers = [{ url = \"a\" }, { credential_file = \"c\" }]").refused();
    assert_says(&missing, &["ice.servers.2.credential_file", "c"]);
    let missing = Machine::with("#\n[ice]\nservers = [{ url = \"a\" }, {  }]").refused();
    assert_says(&missing, &["line 3: ice.servers.2: missing field `url`"]);
    assert_says(&Machine::with("listen = 5").refused(), &["line 1: listen: invalid type: integer `5`"]);
}

#[test]
fn a_config_that_lost_its_content_does_not_count_as_one_with_the_defaults() {
    for emptied in ["", " \n"] {
        let error = Machine::with(emptied).load().replacing().expect_err("refused");
        assert_says(&error.to_string(), &["empty", "defaults"]);
    }
    assert!(Machine::with("#").load().replacing().is_ok(), "somebody has written that");
    let binary = Machine::default().file(CONFIG, 0o600, b"\xff").refused();
    assert_eq!(binary, "it is no UTF-8 text");
    assert_eq!(Machine::default().refused(), "it cannot be read: entity not found");
}

#[test]
fn what_may_do_harm_later_is_said() {
    let loaded = Machine::default()
        .file(CONFIG, 0o666, "#")
        .variable("PANOCAST_TURN_SHARED_SECERT", "hunter2")
        .variable("PANOCAST_ICE_SERVERS_1_CREDENTIAL", "hunter2")
        .load();
    let [changeable, useless] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
    assert_says(changeable, &["everybody", CONFIG, "0666", "chmod o-w"]);
    assert_says(useless, &["PANOCAST_TURN_SHARED_SECERT", "PANOCAST_ICE_SERVERS_1_CREDENTIAL"]);
    assert!(!useless.contains("hunter2"));
}
