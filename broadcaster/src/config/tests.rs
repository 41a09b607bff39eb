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
    assert!(source("source = \"rtsp\"\nurl = \"rtsp://h/s\"\npassthrough = true").is_passthrough());
    assert!(source("source = \"file\"\npath = \"tour.mp4\"").repeats());
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
        ("source = \"theta\"\ncrop = { top = 10 }".to_owned(), "crop is not possible"),
    ];
    for (text, expected) in cases {
        let error = camera(&text).expect_err(&text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn what_is_cut_off_and_turned_is_asked_of_the_source() {
    let turned = camera(
        "source = \"file\"\npath = \"a\"\nrotate = 90\nwidth = 720\nheight = 1280\ncrop = { left = 8, top = 2 }",
    );
    assert_eq!(turned.expect("right").given_size(), (1288, 722));
}
