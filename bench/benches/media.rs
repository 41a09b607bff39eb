//! What a picture costs once, however many viewers there are: cutting it into packets, and keeping these.

use std::{hint::black_box, time::Duration};

use broadcaster::bench::{Packets, Picture, Shelf};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const FRAME_TIME: Duration = Duration::from_millis(33);

/// Pictures in a full ring.
const KEPT: u64 = 60;

fn packetise(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packetise");
    for (name, bytes) in [("picture", 15_000), ("keyframe", 60_000)] {
        let picture = Picture::of_size(bytes, name == "keyframe");
        group.throughput(Throughput::Bytes(picture.data.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| Packets::of(black_box(&picture))));
    }
    group.finish();
}

fn ring(criterion: &mut Criterion) {
    let picture = Picture::of_size(15_000, false);
    let mut shelf = Shelf::default();
    for _ in 0..KEPT {
        shelf.push(Packets::of(&picture), FRAME_TIME);
    }
    let packets = KEPT * Packets::of(&picture).payloads().count() as u64;
    let mut group = criterion.benchmark_group("ring");
    let mut number = 0;
    group.bench_function("find", |bencher| {
        bencher.iter(|| {
            number = (number + 7) % packets;
            black_box(shelf.packet(number).map(<[u8]>::len))
        });
    });
    group.bench_function("push", |bencher| {
        bencher.iter_batched(
            || Packets::of(&picture),
            |packets| shelf.push(packets, FRAME_TIME),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, packetise, ring);
criterion_main!(benches);
