//! A server that signs its certificate itself, and a robot that knows it by its fingerprint.

use broadcaster::{
    Mismatch,
    signalling::{Connection, ConnectionError, ServerUrl},
};
use protocol::Fingerprint;
use tests::World;

use crate::leaving_nothing;

#[test]
fn a_robot_speaks_to_the_server_that_it_knows_and_to_no_other() -> anyhow::Result<()> {
    leaving_nothing(async {
        let (world, known) = World::encrypted().await?;
        let server: ServerUrl = world.url();
        assert!(server.is_encrypted());
        Connection::open(&server, Some(known)).await?.close().await;

        let another = Fingerprint::new([7; 32]);
        let refused = Connection::open(&server, Some(another)).await.err();
        assert!(matches!(refused, Some(ConnectionError::Stranger(Mismatch(shown))) if shown == known), "{refused:?}");
        let refused = Connection::open(&server, None).await.err();
        assert!(matches!(refused, Some(ConnectionError::Line(_))), "nobody vouches for it: {refused:?}");

        // Who asks for it unencrypted is told where to come.
        let plain: ServerUrl = server.to_string().replace("https:", "http:").parse()?;
        let refused = Connection::open(&plain, None).await.err();
        let Some(ConnectionError::Moved(to)) = &refused else { panic!("{refused:?}") };
        assert!(to.starts_with(&server.to_string()), "{to}");
        world.stop().await
    })
}
