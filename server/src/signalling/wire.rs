//! How arguments reach Socket.IO.

use serde::{Serialize, Serializer, ser::SerializeTuple};
use serde_json::Value;

/// The arguments of one event.
///
/// socketioxide makes several arguments of a tuple and one array of any other sequence, so this serialises as a tuple
/// whose length is only known now. Nulls at the end go: pages of the family then see exactly the arguments they know.
pub(super) struct Arguments(Vec<Value>);

impl Arguments {
    pub(super) fn of(arguments: impl Serialize) -> serde_json::Result<Self> {
        let mut values: Vec<Value> = serde_json::from_value(serde_json::to_value(arguments)?)?;
        while values.last().is_some_and(Value::is_null) {
            values.pop();
        }
        Ok(Self(values))
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for value in &self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ToRobot, ToViewer};

    use super::*;

    #[test]
    fn trailing_nulls_are_left_out() {
        let nothing = Arguments::of(ToViewer::Broadcaster { about: None }.arguments()).expect("encodes");
        assert_eq!(serde_json::to_string(&nothing).expect("encodes"), "[]");
        let viewer = "abc".parse().expect("an id");
        let one = Arguments::of(ToRobot::Watcher { viewer, ticket: None }.arguments()).expect("encodes");
        assert_eq!(serde_json::to_string(&one).expect("encodes"), r#"["abc"]"#);
    }
}
