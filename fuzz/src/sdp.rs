//! Session descriptions and candidates: what gets past the server keeps its bounds, and so does what a robot makes of an answer or
//! of a player's offer.

use protocol::{Candidate, MAX_CANDIDATES, MAX_SDP_BYTES, MAX_SDP_MEDIA, Reach, Sdp};

use crate::script::{Script, is_one_line};

/// Lengths that a candidate's parts may have.
const MAX_PART: usize = 1024;

pub fn sdp(data: &[u8]) {
    let mut script = Script::new(data);
    let kind = script.byte();
    let Ok(text) = std::str::from_utf8(script.rest()) else { return };
    match kind % 4 {
        0 => description(text),
        1 => candidate(text),
        2 => answer(text),
        _ => offer(text),
    }
}

fn description(text: &str) {
    let sdp = match Sdp::try_from(text.to_owned()) {
        Ok(sdp) => sdp,
        Err(error) => return assert!(is_one_line(&error.to_string())),
    };
    within_bounds(&sdp);
    assert!(!format!("{sdp:?}").contains("candidate"), "addresses stay out of logs");
    let wanted = |reach| reach == Reach::Elsewhere;
    let kept = sdp.clone().retain_candidates(wanted);
    within_bounds(&kept);
    assert_eq!(Sdp::try_from(kept.as_str().to_owned()).as_ref(), Ok(&kept), "it is still a description");
    assert!(kept.as_str().len() <= sdp.as_str().len());
    assert_eq!(kept.clone().retain_candidates(wanted), kept, "there is nothing more to leave out");
    let others = |sdp: &Sdp| -> Vec<String> {
        let lines = sdp.as_str().lines().filter(|line| !line.starts_with("a=candidate:"));
        lines.map(ToOwned::to_owned).collect()
    };
    assert_eq!(others(&sdp), others(&kept), "all else stays");
}

fn within_bounds(sdp: &Sdp) {
    let media = sdp.as_str().lines().filter(|line| line.starts_with("m=")).count();
    assert!((1..=MAX_SDP_MEDIA).contains(&media) && sdp.as_str().len() <= MAX_SDP_BYTES);
}

fn candidate(text: &str) {
    let Ok(candidate) = serde_json::from_str::<Candidate>(text) else { return };
    let again = serde_json::to_string(&candidate).expect("plain data");
    assert_eq!(serde_json::from_str::<Candidate>(&again).expect("it is taken again"), candidate);
    assert!(candidate.candidate.len() <= MAX_PART);
    let parts = [&candidate.sdp_mid, &candidate.username_fragment];
    assert!(parts.into_iter().flatten().all(|part| part.len() <= MAX_PART));
    assert_eq!(candidate.is_end(), candidate.reach().is_none(), "{}", candidate.candidate);
}

fn answer(text: &str) {
    // As the server lets it through.
    let Ok(sdp) = Sdp::try_from(text.to_owned()) else { return };
    let answered = match broadcaster::fuzz::session::answered(sdp.as_str()) {
        Ok(answered) => answered,
        Err(error) => return assert!(!error.is_empty()),
    };
    assert!(answered.fingerprints > 0, "nobody is believed without one");
    assert!(answered.candidates.len() <= MAX_CANDIDATES);
    assert!(answered.candidates.iter().all(|candidate| candidate.starts_with("candidate:")));
    assert!(answered.payload_types.iter().flatten().all(|payload_type| *payload_type < 128), "{answered:?}");
    assert!(sdp.as_str().contains(answered.ufrag.as_str()));
}

fn offer(text: &str) {
    let Ok(sdp) = Sdp::try_from(text.to_owned()) else { return };
    let replied = match broadcaster::fuzz::session::replied(sdp.as_str()) {
        Ok(replied) => replied,
        Err(error) => return assert!(!error.is_empty()),
    };
    let sections = |sdp: &str| sdp.lines().filter(|line| line.starts_with("m=")).count();
    match Sdp::try_from(replied.clone()) {
        Ok(answer) => assert_eq!(sections(answer.as_str()), sections(sdp.as_str()), "each in its place"),
        // What was offered is said again, and may be long.
        Err(_) => assert!(replied.len() > MAX_SDP_BYTES, "{replied}"),
    }
    assert_eq!(replied.matches("a=sendonly").count().clamp(1, 2), replied.matches("a=sendonly").count());
}
