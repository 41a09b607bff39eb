//! What the config says, and what it refuses.

use super::*;

const SAMPLE: &str = include_str!("../../../config/broadcaster.toml");

#[test]
fn shipped_sample_is_valid_and_typos_are_not() {
    let config: Config = toml::from_str(SAMPLE).expect("sample parses");
    assert_eq!(config.check(), Ok(()));
    assert_eq!((config.robot.as_str(), config.cameras[0].id.as_str()), ("demo", "main"));
    let typo = SAMPLE.replace("max_viewers", "max_veiwers");
    let error = toml::from_str::<Config>(&typo).expect_err("a typo").to_string();
    assert!(error.contains("max_veiwers") && error.contains("line"), "{error}");
}

#[test]
fn the_sample_states_the_defaults() {
    let (sample, default) = (toml::from_str::<Config>(SAMPLE).expect("sample parses"), Config::default());
    let mut titled = default.cameras[0].clone();
    titled.title.clone_from(&sample.cameras[0].title);
    assert_eq!(format!("{:?}", sample.media), format!("{:?}", default.media));
    assert_eq!(format!("{:?}", sample.cameras[0]), format!("{titled:?}"));
    assert_eq!(format!("{:?}", sample.server), format!("{:?}", default.server));
    assert_eq!(sample.recording, default.recording);
}

/// They stand there as comments: as sections they would hold for a camera of any other size as well.
#[test]
fn the_samples_rungs_are_what_its_camera_has_without_them() {
    let keys = ["[[rungs]]", "width =", "bitrate ="];
    let sample = keys.iter().fold(SAMPLE.to_owned(), |text, key| text.replace(&format!("# {key}"), key));
    let config: Config = toml::from_str(&sample).expect("the comments parse");
    assert_eq!(config.check(), Ok(()));
    assert_eq!(config.rungs.len(), 3);
    assert_eq!(config.cameras[0].info(&config.rungs), config.cameras[0].info(&[]));
}

#[test]
fn what_cannot_work_is_named() {
    let broken = |change: &str| {
        let text = format!("[[cameras]]\nid = \"main\"\nsource = \"test\"\n{change}");
        toml::from_str::<Config>(&text).expect("parses").check().expect_err("refused").to_string()
    };
    assert!(broken("width = 1921").contains("width is 1921"));
    assert!(broken("width = 4096\nheight = 4096").contains("4096×2304"));
    assert!(broken("[media]\nmax_packet = 1501").contains("max_packet is 1501"));
    assert!(broken("fps = 0").contains("fps is 0"));
    assert!(broken("bitrate = 5").contains("bitrate is 5"));
    assert!(broken("[recording]\nquota = \"5kB\"").contains("recording.quota is 5 kB, but must be 1MB or more"));
    assert!(broken("[recording]\nsegment = \"1s\"").contains("recording.segment is 1s"));
    assert!(broken("[[cameras]]\nid = \"main\"\nsource = \"test\"").contains("\"main\""));
    assert!(toml::from_str::<Config>("cameras = []").expect("parses").check().is_err());
}

#[test]
fn a_fingerprint_is_read_and_is_for_an_encrypted_server_only() {
    let fingerprint = format!("sha256:{}", "0a".repeat(32));
    let config = |server: &str, fingerprint: &str| {
        toml::from_str::<Config>(&format!("server = \"{server}\"\nfingerprint = \"{fingerprint}\""))
    };
    let known = config("https://192.0.2.1:8080", &fingerprint).expect("parses");
    assert_eq!((known.check(), known.fingerprint.map(|known| known.to_string())), (Ok(()), Some(fingerprint.clone())));
    let plain =
        config("http://192.0.2.1:8080", &fingerprint).expect("parses").check().expect_err("refused").to_string();
    assert!(plain.contains("http://192.0.2.1:8080") && plain.contains("write https://"), "{plain}");
    let short = config("https://192.0.2.1", "sha256:0a").expect_err("refused").to_string();
    assert!(short.contains("64 hexadecimal digits") && short.contains("line 2"), "{short}");
}

fn camera(text: &str) -> Result<Camera, String> {
    let text = format!("[[cameras]]\nid = \"front\"\n{text}");
    let config = toml::from_str::<Config>(&text).map_err(|error| error.message().to_owned())?;
    config.check().map_err(|error| error.to_string())?;
    Ok(config.cameras[0].clone())
}

#[test]
fn each_source_has_its_keys() {
    let source = |text: &str| camera(text).expect("right").source;
    assert_eq!(source("source = \"test-flat\""), Source::TestFlat);
    let device = source("source = \"v4l2\"\ndevice = \"/dev/video0\"\nformat = \"mjpeg\"");
    assert_eq!(device, Source::V4l2 { device: "/dev/video0".into(), format: V4l2Format::Mjpeg });
    let rtsp = source("source = \"rtsp\"\nurl = \"rtsp://h/s\"\npassthrough = true");
    assert_eq!((rtsp.is_passthrough(), rtsp.instead_of_passthrough()), (true, "passthrough = false"));
    assert_eq!(device.instead_of_passthrough(), "format = \"auto\"");
    assert_eq!(source("source = \"file\"\npath = \"tour.mp4\""), Source::File { path: "tour.mp4".into() });
    let description = "videotestsrc is-live=true".to_owned();
    let own = source("source = \"pipeline\"\npipeline = \"videotestsrc is-live=true\"");
    assert_eq!(own, Source::Pipeline { description, passthrough: false });
}

#[test]
fn a_source_that_lacks_a_key_or_has_anothers_says_so() {
    let cases = [
        ("source = \"v4l2\"", "device is missing"),
        ("source = \"rtsp\"", "url = \"rtsp://"),
        ("source = \"file\"", "path is missing"),
        ("source = \"pipeline\"", "pipeline is missing"),
        ("source = \"test\"\ndevice = \"/dev/video0\"", "device means nothing to source \"test\""),
        ("source = \"file\"\npath = \"a\"\nformat = \"raw\"", "format means nothing to source \"file\""),
        ("source = \"v4l2\"\ndevice = \"/dev/video0\"\nformat = \"png\"", "format is \"png\", but must be \"auto\""),
        ("source = \"rtsp\"\nurl = \"http://h/s\"", "url is \"http://h/s\", but must be"),
        ("source = \"theremin\"", "theremin"),
        ("source = \"test\"\nencoder = \"h264\"", "encoder is \"h264\", but must be \"auto\""),
        (
            "source = \"rtsp\"\nurl = \"rtsp://h/s\"\npassthrough = true\nencoder = \"x264\"",
            "encoder is not possible with pictures that are sent on as they come",
        ),
    ];
    for (text, expected) in cases {
        let error = camera(text).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_device_belongs_to_one_camera() {
    let both = |source: &str, other: &str| camera(&format!("{source}\n[[cameras]]\nid = \"back\"\n{other}"));
    let twice = |source: &str| both(source, source).expect_err(source);
    assert_eq!(
        twice("source = \"v4l2\"\ndevice = \"/dev/video0\""),
        "cameras front and back both have device = \"/dev/video0\", which only one can open: give each its own, or leave one of \
         them out"
    );
    assert!(twice("source = \"libcamera\"").contains("source = \"libcamera\" without a device"));
    assert!(twice("source = \"nvargus\"\nsensor = 1").contains("both have sensor = 1"));
    assert!(twice("source = \"theta\"").contains("both have source = \"theta\""));
    let others = "source = \"v4l2\"\ndevice = \"/dev/video";
    assert!(both(&format!("{others}0\""), &format!("{others}2\"")).is_ok());
    let network = "source = \"rtsp\"\nurl = \"rtsp://192.0.2.7/stream\"";
    assert!(both(network, network).is_ok(), "it serves many");
}

#[test]
fn sound_may_come_from_a_microphone() {
    let sound = |text: &str| camera(&format!("source = \"test\"\n{text}")).map(|camera| camera.sound);
    assert_eq!(sound(""), Ok(Sound::None));
    assert_eq!(sound("sound = \"auto\""), Ok(Sound::Auto));
    let microphone = |system, device: Option<&str>| Sound::Microphone { system, device: device.map(ToOwned::to_owned) };
    assert_eq!(sound("sound = \"pulse\""), Ok(microphone(SoundSystem::Pulse, None)));
    assert_eq!(sound("sound = \"alsa\"\nsound_device = \"hw:1\""), Ok(microphone(SoundSystem::Alsa, Some("hw:1"))));
    for kind in ["none", "tone", "auto"] {
        let error = sound(&format!("sound = \"{kind}\"\nsound_device = \"hw:1\"")).expect_err(kind);
        assert!(error.contains(&format!("sound_device means nothing to sound \"{kind}\"")), "{error}");
    }
    assert!(sound("sound = \"theremin\"").is_err());
}

#[test]
fn passwords_of_cameras_are_not_for_people() {
    let source = camera("source = \"rtsp\"\nurl = \"rtsp://me:pass@word@10.0.0.7:554/s\"").expect("right").source;
    let told = format!("{source} {source:?}");
    assert!(told.contains("rtsp://10.0.0.7:554/s") && !told.contains("me:") && !told.contains("word"), "{told}");
    let wrong = camera("source = \"rtsp\"\nurl = \"http://me:secret@host/s\"").expect_err("refused");
    assert!(!wrong.contains("secret"), "{wrong}");
}

#[test]
fn an_encoder_may_be_named() {
    let encoder = |text: &str| camera(&format!("source = \"test\"\n{text}")).expect("right").encoder;
    assert_eq!(encoder(""), Encoder::Auto);
    assert_eq!(encoder("encoder = \"auto\""), Encoder::Auto);
    assert_eq!(encoder("encoder = \"v4l2\""), Encoder::V4l2);
}

#[test]
fn a_projection_may_be_given() {
    let projection = |text: &str| camera(text).expect("right").projection;
    assert_eq!(projection("source = \"test\""), protocol::Projection::Equirectangular { coverage: None });
    assert_eq!(projection("source = \"file\"\npath = \"a\""), protocol::Projection::Flat);
    let tour = "source = \"file\"\npath = \"a\"\nprojection = \"equirectangular\"";
    assert_eq!(projection(tour), protocol::Projection::Equirectangular { coverage: None });
}

#[test]
fn lenses_are_in_pixels_and_travel_as_shares() {
    let usual = camera("source = \"test-dual-fisheye\"").expect("right");
    let protocol::Projection::DualFisheye { lenses, blend } = &usual.projection else { panic!("{usual:?}") };
    assert_eq!(lenses.each_ref().map(|lens| lens.center.map(protocol::Real::get)), [[0.25, 0.5], [0.75, 0.5]]);
    assert_eq!(lenses.each_ref().map(|lens| lens.rotation.yaw.get()), [0.0, 180.0]);
    assert_eq!(blend.get(), 5.0);
    let given = camera(
        "source = \"v4l2\"\ndevice = \"/dev/video0\"\nprojection = \"fisheye\"\nwidth = 1000\nheight = 500
         mount = { pitch = -15.0 }
         [[cameras.lenses]]\nfov = 180.0\ncenter = [510.0, 245.0]\nroll = 2.0
         kannala_brandt = { focal = [200.0, 201.0], k = [0.01, -0.002, 0.0, 0.0] }",
    );
    let given = given.expect("right");
    let protocol::Projection::Fisheye { lens } = &given.projection else { panic!("{given:?}") };
    assert_eq!(
        (lens.center.map(protocol::Real::get), lens.focal.map(protocol::Real::get)),
        ([0.51, 0.49], [0.2, 0.402])
    );
    assert_eq!(given.info(&[]).video.mount.pitch.get(), -15.0);
}

#[test]
fn a_calibration_that_cannot_be_names_lens_key_and_value() {
    let fisheye = |lens: &str| format!("source = \"test-fisheye\"\n[[cameras.lenses]]\n{lens}");
    let cases = [
        (fisheye("fov = 400.0"), "lenses number 1: fov is 400, but must be from 10 to 280"),
        (fisheye("fov = nan"), "fov is NaN"),
        (fisheye("center = [9000.0, 1.0]"), "center is 9000"),
        (fisheye("radius = 0.0"), "radius is 0"),
        (fisheye("gain = -1.0"), "gain is -1"),
        (fisheye("roll = 1000.0"), "roll is 1000"),
        (fisheye("kannala_brandt = { focal = [500.0, 500.0], k = [-0.5, 0.0, 0.0, 0.0] }"), "they hold up to"),
        (
            fisheye("fov = 240.0\nmei = { focal = [500.0, 500.0], xi = 3.0, k = [0.0, 0.0], p = [0.0, 0.0] }"),
            "they hold up to",
        ),
        (fisheye("mei = { focal = [500.0, 500.0], xi = 30.0, k = [0.0, 0.0], p = [0.0, 0.0] }"), "mei.xi is 30"),
        (fisheye("fov = 180.0\n[[cameras.lenses]]"), "lenses is \"2 sections\""),
        ("source = \"test\"\ncoverage = [720.0, 180.0]".to_owned(), "coverage is \"[720, 180]\""),
        ("source = \"test\"\nmount = { yaw = 1e9 }".to_owned(), "mount.yaw is \"1000000000\""),
        ("source = \"test-flat\"\nmount = { yaw = 1.0 }".to_owned(), "mount means nothing to projection \"flat\""),
        ("source = \"test\"\nblend = 1.0".to_owned(), "blend means nothing to projection"),
        ("source = \"test\"\nprojection = \"flat\"".to_owned(), "projection is \"flat\""),
        ("source = \"test\"\nrotate = 90".to_owned(), "rotate means nothing to source \"test\""),
        ("source = \"file\"\npath = \"a\"\nrotate = 45".to_owned(), "rotate is 45"),
        ("source = \"file\"\npath = \"a\"\ncrop = { top = 10000 }".to_owned(), "crop.top is 10000"),
        ("source = \"theta\"\ncrop = { top = 10 }".to_owned(), "encoded here (passthrough = false)"),
        (
            "source = \"v4l2\"\ndevice = \"/dev/video0\"\nformat = \"h264\"\ncrop = { top = 10 }".to_owned(),
            "crop is not possible with pictures that are sent on as they come: remove it, or let them be encoded here (format = \"auto\")",
        ),
    ];
    for (text, expected) in cases {
        let error = camera(&text).expect_err(&text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_cubes_faces_are_where_the_config_says_or_where_they_usually_are() {
    use protocol::{CubeFace::*, CubeLayout, Projection};

    let layout = |text: &str| -> (CubeLayout, bool) {
        let projection = camera(text).expect("right").projection;
        let even = matches!(projection, Projection::Equiangular { .. });
        let (Projection::CubeMap { layout } | Projection::Equiangular { layout }) = projection else {
            panic!("{projection:?}")
        };
        (layout, even)
    };
    let faces = |layout: &CubeLayout| layout.cells().map(|cell| cell.face);
    let turns = |layout: &CubeLayout| layout.cells().map(|cell| cell.turn.degrees());
    let (plain, even) = layout("source = \"test-cube-map\"");
    assert_eq!((plain.columns(), even, turns(&plain)), (3, false, [0; 6]));
    assert_eq!(faces(&plain), [Right, Left, Up, Down, Front, Back]);
    let (usual, even) = layout("source = \"file\"\npath = \"a\"\nprojection = \"equiangular\"\npadding = 3.0");
    assert_eq!((usual.columns(), even, turns(&usual)), (3, true, [0, 0, 0, 270, 90, 270]));
    assert_eq!(faces(&usual), [Left, Front, Right, Down, Back, Up]);
    assert_eq!(usual.padding(), [3.0 / 1920.0, 3.0 / 960.0]);
    let own = "source = \"test-equiangular\"\nfaces = [\"up\", \"down\", \"left\", \"right\", \"back\", \"front\"]\ncolumns = 2";
    let (given, _) = layout(own);
    assert_eq!(
        (given.columns(), given.rows(), turns(&given)),
        (2, 3, [0; 6]),
        "whose faces are others' turn otherwise"
    );
    assert_eq!(faces(&given), [Up, Down, Left, Right, Back, Front]);
    let (turned, _) = layout(&format!("{own}\nturns = [180, 0, 0, 0, 0, 90]"));
    assert_eq!(turns(&turned), [180, 0, 0, 0, 0, 90]);
}

#[test]
fn a_layout_that_cannot_be_names_key_and_value() {
    let faces = "faces = [\"left\", \"front\", \"right\", \"down\", \"back\",";
    let cases = [
        ("columns = 4".to_owned(), "columns is \"4\", but must be 1, 2, 3 or 6"),
        (format!("{faces} \"top\"]"), "faces is \"left, front, right, down, back, top\", but must be each of"),
        (format!("{faces} \"left\"]"), "faces is \"left, front, right, down, back, left\", but must be each of"),
        ("faces = [\"front\"]".to_owned(), "faces is \"front\", but must be each of"),
        ("turns = [0, 90]".to_owned(), "turns is \"[0, 90]\", but must be six of 0, 90, 180 and 270"),
        ("turns = [0, 0, 0, 0, 0, 45]".to_owned(), "turns is \"[0, 0, 0, 0, 0, 45]\""),
        ("padding = 17.0".to_owned(), "padding is \"17\", but must be from 0 to 16 pixels"),
        ("padding = nan".to_owned(), "padding is \"NaN\""),
        ("width = 64\nheight = 64\npadding = 8.0".to_owned(), "padding is \"8\""),
        ("coverage = [90.0, 90.0]".to_owned(), "coverage means nothing to projection \"equiangular\""),
    ];
    for (text, expected) in cases {
        let error = camera(&format!("source = \"test-equiangular\"\n{text}")).expect_err(&text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    for key in ["columns = 3", "faces = []", "turns = []", "padding = 1.0"] {
        let error = camera(&format!("source = \"test\"\n{key}")).expect_err(key);
        assert!(error.contains("means nothing to projection \"equirectangular\": remove it"), "{error}");
    }
    let other = camera("source = \"test-cube-map\"\nprojection = \"equiangular\"").expect_err("another");
    assert!(other.contains("projection is \"equiangular\", but must be left out"), "{other}");
}

#[test]
fn faces_that_are_not_square_are_doubted() {
    let doubt = |text: &str| camera(text).expect("right").doubt();
    let told = doubt("source = \"test-cube-map\"").expect("a doubt");
    assert!(
        told.starts_with("camera front: width is 1920 and height is 960, but 3×2 square faces of projection \"cube-map\" would be 1920×1280"),
        "{told}"
    );
    assert_eq!(doubt("source = \"test-cube-map\"\nheight = 1280"), None);
    assert_eq!(doubt("source = \"test-cube-map\"\nheight = 320\ncolumns = 6"), None);
    assert!(doubt("source = \"test-cube-map\"\nheight = 1080").is_some());
    assert_eq!(doubt("source = \"test-equiangular\"\nheight = 1080"), None, "as YouTube has them");
    assert_eq!(doubt("source = \"test\"\nheight = 1080"), None);
}

#[test]
fn what_is_cut_off_and_turned_is_asked_of_the_source() {
    let turned = camera(
        "source = \"file\"\npath = \"a\"\nrotate = 90\nwidth = 720\nheight = 1280\ncrop = { left = 8, top = 2 }",
    );
    assert_eq!(turned.expect("right").given_size(), (1288, 722));
}

#[test]
fn a_robots_key_has_a_shape_and_is_not_shown() {
    let key = |text: &str| toml::from_str::<Config>(&format!("key = {text:?}"));
    let right = format!("pk_{}", &"aZ09-_x".repeat(7)[..43]);
    let config = key(&right).expect("a key");
    assert!(config.key.is_some() && !format!("{config:?}").contains("aZ09"));
    for bad in
        ["", "pk_", "hunter2", &right[1..], &format!("{right}x"), &right.replace('-', "="), &right.to_uppercase()]
    {
        let error = key(bad).expect_err(bad);
        assert!(error.message().contains("43 letters") && !error.message().contains("hunter2"), "{error}");
    }
}
