//! Session keys from master keys (RFC 3711, section 4.3; RFC 6188 for 256 bits).

use rtc_crypto::{BlockCipherAlgorithm, CryptoError, RTCCrypto};

#[derive(Clone, Copy)]
pub(super) enum Label {
    Encryption = 0,
    Salt = 2,
}

const BLOCK: usize = 16;
/// Master salts are shorter than the counter block that they are mixed into.
const LABEL_AT: usize = 7;
const MAX_SALT: usize = 14;

/// `length` bytes of the key stream that the master key and salt give under a label.
pub(super) fn derive(
    label: Label,
    master_key: &[u8],
    master_salt: &[u8],
    length: usize,
    crypto: &dyn RTCCrypto,
) -> Result<Vec<u8>, CryptoError> {
    let algorithm = if master_key.len() == 32 { BlockCipherAlgorithm::Aes256 } else { BlockCipherAlgorithm::Aes128 };
    let mut counter = [0; BLOCK];
    let salt = &master_salt[..master_salt.len().min(MAX_SALT)];
    counter[..salt.len()].copy_from_slice(salt);
    counter[LABEL_AT] ^= label as u8;
    let mut key = Vec::with_capacity(length.next_multiple_of(BLOCK));
    for block_number in 0..length.div_ceil(BLOCK) {
        let mut block = counter;
        block[BLOCK - 1] = u8::try_from(block_number).expect("keys are a few blocks long");
        crypto.block_encrypt(algorithm, master_key, &mut block)?;
        key.extend_from_slice(&block);
    }
    key.truncate(length);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    }

    /// The test vectors of RFC 3711, appendix B.3.
    #[test]
    fn keys_are_derived_as_the_rfc_says() {
        let provider = rtc_crypto::default_provider().expect("a provider");
        let (key, salt) = (hex("E1F97A0D3E018BE0D64FA32C06DE4139"), hex("0EC675AD498AFEEBB6960B3AABE6"));
        let derived = |label, length| derive(label, &key, &salt, length, provider.crypto()).expect("derived");
        assert_eq!(derived(Label::Encryption, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(Label::Salt, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
    }
}
