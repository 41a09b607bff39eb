//! What `make fuzz` reaches of what a stream says of itself.

use super::{ParameterSets, Picture, boxes::Bytes};

/// A keyframe, as a file would have it.
#[derive(Debug)]
pub struct Filed {
    /// Each NAL unit after its length.
    pub rest: Vec<u8>,
    /// Width and height, and how decoders are told of the parameter sets.
    pub header: Option<(u16, u16, Vec<u8>)>,
}

pub fn file(stream: &[u8]) -> Filed {
    let (sets, rest) = ParameterSets::split(stream);
    let header = Picture::read(sets).map(|picture| {
        let mut configuration = Bytes::default();
        picture.configuration(&mut configuration);
        (picture.width, picture.height, configuration.0)
    });
    Filed { rest, header }
}
