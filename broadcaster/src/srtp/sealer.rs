//! Seals one session's media: the only holder of its key, and the only one who numbers its packets.
//!
//! AES-GCM fails altogether when one nonce seals two packets, and the nonce is made of SSRC and packet index. So whoever
//! wants a packet sealed says which stream it belongs to; number and SSRC are written here, and each number is given once.

use rtc_crypto::{AeadAlgorithm, AeadCipher, RTCCrypto};
use rtc_shared::error::Error;
use rtc_srtp::{context::Context, protection_profile::ProtectionProfile};

use super::keys::{Label, derive};

const NONCE: usize = 12;
const SEQUENCE_AT: usize = 2;
const SSRC_AT: usize = 8;

/// The picture, what is repeated of it, and sound.
const MAX_STREAMS: usize = 3;

/// Packet indices have 48 bits (RFC 3711, section 3.3.1).
const MAX_INDEX: u64 = (1 << 48) - 1;

pub(crate) struct Sealer {
    cipher: Cipher,
    tag_len: usize,
    /// In the order in which they were opened.
    streams: [Stream; MAX_STREAMS],
    opened: usize,
}

enum Cipher {
    Gcm {
        aead: Box<dyn AeadCipher>,
        salt: [u8; NONCE],
    },
    /// Peers that know only AES-CM are served by the stack, which copies and allocates.
    Counter(Box<Context>),
}

#[derive(Clone, Copy, Default)]
struct Stream {
    ssrc: u32,
    /// Of the next packet: rollover counter and sequence number.
    index: u64,
}

/// One of a sealer's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId(usize);

impl Sealer {
    pub(super) fn new(
        profile: ProtectionProfile,
        key: &[u8],
        salt: &[u8],
        crypto: &dyn RTCCrypto,
    ) -> Result<Self, Error> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the stack's enum is open; it seals with all of them itself"
        )]
        let algorithm = match profile {
            ProtectionProfile::AeadAes128Gcm => Some(AeadAlgorithm::Aes128Gcm),
            ProtectionProfile::AeadAes256Gcm => Some(AeadAlgorithm::Aes256Gcm),
            _ => None,
        };
        let failed = |error: rtc_crypto::CryptoError| Error::Crypto(error.to_string());
        let cipher = match algorithm {
            Some(algorithm) => {
                let session_key = derive(Label::Encryption, key, salt, key.len(), crypto).map_err(failed)?;
                let session_salt = derive(Label::Salt, key, salt, NONCE, crypto).map_err(failed)?;
                Cipher::Gcm {
                    aead: crypto.new_aead(algorithm, &session_key).map_err(failed)?,
                    salt: session_salt.try_into().expect("as long as asked for"),
                }
            }
            None => Cipher::Counter(Box::new(Context::new(key, salt, profile, None, None, crypto)?)),
        };
        let tag_len = profile.rtp_auth_tag_len() + profile.aead_auth_tag_len();
        Ok(Self { cipher, tag_len, streams: Default::default(), opened: 0 })
    }

    /// A stream of its own for an SSRC. Panics when it has one: two writers would give a number twice; and when there are
    /// more streams than a session has.
    pub(crate) fn open(&mut self, ssrc: u32, first_sequence: u16) -> StreamId {
        let known = &self.streams[..self.opened];
        assert!(known.iter().all(|stream| stream.ssrc != ssrc), "one writer per SSRC and key");
        let id = StreamId(self.opened);
        self.streams[id.0] = Stream { ssrc, index: u64::from(first_sequence) };
        self.opened += 1;
        id
    }

    /// Bytes that sealing appends.
    pub(crate) fn tag_len(&self) -> usize {
        self.tag_len
    }

    #[cfg(test)]
    pub(crate) fn ssrc(&self, id: StreamId) -> u32 {
        self.streams[id.0].ssrc
    }

    #[cfg(test)]
    pub(crate) fn next_sequence(&self, id: StreamId) -> u16 {
        self.streams[id.0].index as u16
    }

    /// Seals the packet that fills `packet` but for the tag at its end. Its RTP header is `header_len` bytes long; number
    /// and SSRC in it are set here.
    pub(crate) fn seal(&mut self, id: StreamId, packet: &mut [u8], header_len: usize) -> Result<(), Error> {
        let Stream { ssrc, index } = &mut self.streams[id.0];
        if *index > MAX_INDEX {
            return Err(Error::ErrExceededMaxPackets);
        }
        let number = *index;
        *index += 1;
        packet[SEQUENCE_AT..SEQUENCE_AT + 2].copy_from_slice(&(number as u16).to_be_bytes());
        packet[SSRC_AT..SSRC_AT + 4].copy_from_slice(&ssrc.to_be_bytes());
        let end = packet.len() - self.tag_len;
        match &mut self.cipher {
            Cipher::Gcm { aead, salt } => {
                let nonce = nonce(salt, *ssrc, number);
                let (message, tag) = packet.split_at_mut(end);
                let (header, body) = message.split_at_mut(header_len);
                aead.seal_in_place(&nonce, header, body, tag).map_err(|error| Error::Crypto(error.to_string()))?;
            }
            Cipher::Counter(context) => {
                let sealed = context.encrypt_rtp(&packet[..end])?;
                packet.copy_from_slice(&sealed);
            }
        }
        Ok(())
    }
}

/// RFC 7714, section 8.1: two zeros, SSRC, rollover counter and sequence number, mixed with the salt.
fn nonce(salt: &[u8; NONCE], ssrc: u32, index: u64) -> [u8; NONCE] {
    let counter = u128::from(ssrc) << 48 | u128::from(index);
    let mut wide = [0; 16];
    wide[4..].copy_from_slice(salt);
    let wide = (u128::from_be_bytes(wide) ^ counter).to_be_bytes();
    wide[4..].try_into().expect("what is left of 16 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: [ProtectionProfile; 4] = [
        ProtectionProfile::AeadAes128Gcm,
        ProtectionProfile::AeadAes256Gcm,
        ProtectionProfile::Aes128CmHmacSha1_80,
        ProtectionProfile::Aes128CmHmacSha1_32,
    ];

    /// The stack's own receiver opens everything, over two rollovers of the sequence number.
    #[test]
    fn an_independent_receiver_opens_what_is_sealed() {
        let provider = rtc_crypto::default_provider().expect("a provider");
        for profile in PROFILES {
            let (key, salt) = (vec![7; profile.key_len()], vec![9; profile.salt_len()]);
            let mut sealer = Sealer::new(profile, &key, &salt, provider.crypto()).expect("a sealer");
            let mut receiver = Context::new(&key, &salt, profile, None, None, provider.crypto()).expect("a receiver");
            let (video, other) = (sealer.open(0x1234_5678, 0x7ff0), sealer.open(0x9abc_def0, 3));
            for number in 0..140_000_u32 {
                let stream = if number % 1000 == 1 { other } else { video };
                let mut packet = vec![0; 12 + 4 + sealer.tag_len()];
                packet[0] = 0x80;
                packet[12..16].copy_from_slice(&number.to_be_bytes());
                let sequence = sealer.next_sequence(stream);
                sealer.seal(stream, &mut packet, 12).expect("sealed");
                assert_eq!(packet[2..4], sequence.to_be_bytes());
                assert_eq!(packet[8..12], sealer.ssrc(stream).to_be_bytes());
                let opened = receiver.decrypt_rtp(&packet).expect("opened");
                assert_eq!(opened[12..], number.to_be_bytes(), "{profile:?}");
            }
        }
    }

    #[test]
    #[should_panic = "one writer per SSRC and key"]
    fn a_second_writer_is_not_to_be_had() {
        let provider = rtc_crypto::default_provider().expect("a provider");
        let mut sealer = Sealer::new(PROFILES[0], &[7; 16], &[9; 12], provider.crypto()).expect("a sealer");
        sealer.open(1, 0);
        sealer.open(1, 77);
    }

    #[test]
    fn a_stream_ends_before_its_numbers_repeat() {
        let provider = rtc_crypto::default_provider().expect("a provider");
        let mut sealer = Sealer::new(PROFILES[0], &[7; 16], &[9; 12], provider.crypto()).expect("a sealer");
        let stream = sealer.open(1, 0);
        sealer.streams[stream.0].index = MAX_INDEX;
        let mut packet = [0x80; 12 + 16];
        assert!(sealer.seal(stream, &mut packet, 12).is_ok());
        assert!(sealer.seal(stream, &mut packet, 12).is_err());
    }
}
