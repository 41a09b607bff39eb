//! What the binary can be told to do.

pub mod check;
pub mod devices;
pub mod doctor;
pub mod run;

/// What a command has to say when it ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// For standard output.
    pub text: String,
    /// Why it counts as failed, one sentence each.
    pub complaints: Vec<String>,
}

/// Who is to read an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
}
