//! Nonces that nobody has to remember: each says when it was made, and is signed for the address that it was given to.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::Mac;

use super::message::Key;

/// RFC 8656, section 5.
const LASTS: Duration = Duration::from_secs(60 * 60);

const TIME: usize = 4;
const SIGNATURE: usize = 8;

/// As text, every three bytes are four characters.
pub(super) const LENGTH: usize = (TIME + SIGNATURE) / 3 * 4;

pub(super) type Nonce = [u8; LENGTH];

pub(super) struct Nonces {
    key: Key,
    start: Instant,
}

impl Nonces {
    /// `seed` is nobody else's.
    pub(super) fn new(seed: &[u8], start: Instant) -> Self {
        Self { key: Key::new_from_slice(seed).expect("a key may have any length"), start }
    }

    pub(super) fn make(&self, client: SocketAddr, now: Instant) -> Nonce {
        let time = self.seconds(now).to_be_bytes();
        let signature = self.sign(time, client).finalize().into_bytes();
        let mut bytes = [0; TIME + SIGNATURE];
        bytes[..TIME].copy_from_slice(&time);
        bytes[TIME..].copy_from_slice(&signature[..SIGNATURE]);
        let mut nonce = [0; LENGTH];
        BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, &mut nonce).expect("it is as long as that");
        nonce
    }

    /// Whether it was made for that address, not too long ago.
    pub(super) fn holds(&self, nonce: &[u8], client: SocketAddr, now: Instant) -> bool {
        let mut bytes = [0; TIME + SIGNATURE];
        if nonce.len() != LENGTH || BASE64_URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes) != Ok(bytes.len()) {
            return false;
        }
        let (time, signature) = bytes.split_at(TIME);
        let Ok(time) = <[u8; TIME]>::try_from(time) else { return false };
        let age = self.seconds(now).checked_sub(u32::from_be_bytes(time));
        age.is_some_and(|age| Duration::from_secs(age.into()) < LASTS)
            && self.sign(time, client).verify_truncated_left(signature).is_ok()
    }

    fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.start).as_secs()).unwrap_or(u32::MAX)
    }

    fn sign(&self, time: [u8; TIME], client: SocketAddr) -> Key {
        let mut signer = self.key.clone();
        signer.update(&time);
        signer.update(&client.port().to_be_bytes());
        match client.ip() {
            IpAddr::V4(ip) => signer.update(&ip.octets()),
            IpAddr::V6(ip) => signer.update(&ip.octets()),
        }
        signer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from; std has no other way to make one")]
    fn a_nonce_holds_for_its_address_and_its_time() {
        let start = Instant::now();
        let nonces = Nonces::new(b"seed", start);
        let [client, port, ip] =
            ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"].map(|text| text.parse().expect("an address"));
        let made = start + Duration::from_secs(100);
        let nonce = nonces.make(client, made);
        assert!(nonces.holds(&nonce, client, made) && nonces.holds(&nonce, client, made + LASTS / 2));
        assert!(!nonces.holds(&nonce, client, made + LASTS));
        assert!(!nonces.holds(&nonce, client, start), "it is from later");
        assert!(!nonces.holds(&nonce, port, made) && !nonces.holds(&nonce, ip, made));
        assert!(!Nonces::new(b"other", start).holds(&nonce, client, made));
        for at in 0..LENGTH {
            let mut forged = nonce;
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert!(!nonces.holds(&forged, client, made), "character {at}");
        }
        assert!(!nonces.holds(b"", client, made) && !nonces.holds(&[0xff; LENGTH], client, made));
    }
}
