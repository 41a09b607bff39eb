//! `server check`, the real binary: what it says of secrets, and which it refuses.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

/// A folder with a config, gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("panocast-check-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn config(&self) -> PathBuf {
        self.0.join("server.toml")
    }

    fn write(&self, mode: u32, text: &str) {
        fs::write(self.config(), text).expect("written");
        fs::set_permissions(self.config(), fs::Permissions::from_mode(mode)).expect("its own file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `check` says, or why it does not.
fn check(folder: &Folder, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.arg("check").arg("--config").arg(folder.config()).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("runs");
    let said = [stdout, stderr].map(|text| String::from_utf8(text).expect("text")).concat();
    assert!(!said.contains("hunter"), "{said}");
    (status.code(), said)
}

#[test]
fn check_says_where_secrets_are_from_and_refuses_open_ones_in_a_sentence() {
    let folder = Folder::new();
    let ice = "[[ice.servers]]\nurls = [\"turn:192.0.2.1\"]\nusername = \"u\"\n";
    folder.write(0o644, ice);
    let variable = ("PANOCAST_ICE_SERVERS_1_CREDENTIAL", "hunter2");
    let (code, said) = check(&folder, &[variable, ("PANOCAST_ICE_SERVERS_2_CREDENTIAL", "hunter3")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("the secret ice.servers.1.credential from the environment's PANOCAST_ICE_SERVERS_1"),
        "{said}"
    );
    assert!(said.contains("WARNING: ") && said.contains("PANOCAST_ICE_SERVERS_2_CREDENTIAL"), "{said}");

    let inline = format!("{ice}credential = \"hunter2\"\n");
    folder.write(0o644, &inline);
    let (code, said) = check(&folder, &[]);
    let config = folder.config().display().to_string();
    let expected = format!(
        "error: config {config}: ice.servers.1.credential is a secret, and {config} is open to everybody on this machine \
         (mode 0644): chmod 640 {config}\n"
    );
    assert_eq!((code, said), (Some(2), expected));
    let (code, said) = check(&folder, &[variable]);
    assert!(code == Some(2) && said.contains("more than once") && said.lines().count() == 1, "{said}");
    folder.write(0o640, &inline);
    let (code, said) = check(&folder, &[]);
    assert!(code == Some(0) && said.contains("the secret ice.servers.1.credential in the config."), "{said}");
}
