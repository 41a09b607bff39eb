//! What an H.264 stream says of itself, as recordings and the passing-on of cameras' own streams read it.

use broadcaster::fuzz::{
    media::{is_bidirectional, is_entry, nal_units},
    record,
};

pub fn stream(data: &[u8]) {
    let units: Vec<&[u8]> = nal_units(data).collect();
    for unit in &units {
        assert!(unit.last().is_some_and(|last| *last != 0), "{unit:?}");
        assert!(!unit.windows(3).any(|three| three == [0, 0, 1]), "{unit:?}");
    }
    let whole: Vec<u8> = units.iter().flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect();
    assert_eq!(nal_units(&whole).collect::<Vec<_>>(), units, "the length of start codes says nothing");
    let of = |kind: u8| units.iter().filter(move |unit| unit[0] & 0x1f == kind);
    assert_eq!(is_entry(data), of(5).next().is_some());
    let _ = is_bidirectional(data);

    let filed = record::file(data);
    let (mut rest, mut lengths) = (&filed.rest[..], 0);
    while let Some((length, after)) = rest.split_first_chunk() {
        let (_, next) = after.split_at(u32::from_be_bytes(*length) as usize);
        lengths += 1;
        rest = next;
    }
    let others = units.iter().filter(|unit| ![7, 8, 9].contains(&(unit[0] & 0x1f))).count();
    assert_eq!((lengths, rest), (others, &[][..]));
    if let Some((_, _, configuration)) = filed.header {
        let first = of(7).next().expect("it was read");
        assert_eq!(configuration[1..4], first[1..4], "profile and level are the stream's");
        assert!(of(8).next().is_some());
    }
}
