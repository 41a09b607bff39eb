//! `server operator …`

use anyhow::Context;

use super::{table, warning};
use crate::{
    auth::{OperatorName, Store, UnixTime},
    config::Config,
};

#[derive(Clone, Debug, clap::Subcommand)]
pub enum OperatorCommand {
    /// Prints a key for an operator, for the page at /admin and the API; whoever has that name already gets a new one
    Add { name: OperatorName },
    /// Lets an operator in no more
    Remove { name: OperatorName },
    /// Shows all operators
    List,
}

impl OperatorCommand {
    /// What is printed.
    pub fn run(self, config: &Config, now: UnixTime) -> anyhow::Result<String> {
        let mut store = Store::open(&config.state_dir).context("open what is known of operators")?;
        let said = match self {
            Self::Add { name } => {
                let key = store.add_operator(&name, now)?;
                format!("The key of operator {name}, which is not shown again:\n\n{}\n", key.as_str())
            }
            Self::Remove { name } => {
                store.remove_operator(&name)?;
                format!("Operator {name} is removed.\n")
            }
            Self::List => {
                let operators = store.operators()?;
                if operators.is_empty() {
                    "There is no operator yet: `server operator add` lets one in.\n".to_owned()
                } else {
                    table(&operators.iter().map(|(name, _)| vec![name.to_string()]).collect::<Vec<_>>())
                }
            }
        };
        Ok(said + warning(config))
    }
}
