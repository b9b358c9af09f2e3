//! Secrets: seeds and the URI around them, API keys, sealed values.

use crate::utf8;
use otpauth::{Label, key_uri};
use secrets::{ApiKeyText, Binding, Entropy, EntropyFailed, KeyMode, KeyRing, MasterKey, TotpSeed};
use std::sync::{Mutex, OnceLock};

pub(crate) const TOTP_WORDS: &[&[u8]] =
    &[b"=", b" ", b"JBSWY3DPEHPK3PXP", b"A", b"7", b"1", b"a", b":", b"%", b"&", b"?", b"\0"];
pub(crate) const KEY_WORDS: &[&[u8]] = &[b"sk_test_", b"sk_live_", b"sk_", b"_", b"0", b"zzzzzz", b" "];
pub(crate) const SEALED_WORDS: &[&[u8]] = &[&[1, 0, 0, 0, 1], &[1, 0, 0, 0, 2], &[0; 24], &[0; 16], &[2]];

/// Randomness made of a stranger's bytes, over and over, with a count so that it does not stand still.
struct Given(Mutex<(Vec<u8>, u64)>);

impl Given {
    fn of(data: &[u8]) -> Self {
        Self(Mutex::new((data.to_vec(), 0)))
    }
}

impl Entropy for Given {
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyFailed> {
        let mut state = self.0.lock().map_err(|_| EntropyFailed)?;
        for place in buf {
            let at = state.1;
            let given = state.0.get((at as usize) % state.0.len().max(1)).copied().unwrap_or(0);
            *place = given ^ (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
            state.1 += 1;
        }
        Ok(())
    }
}

/// W12: a secret that is read is read back from its spelling, in any dress; the URI around it is whole.
pub fn totp_secret(data: &[u8]) {
    if let Some(seed) = TotpSeed::from_bytes(data) {
        let spelled = seed.to_base32();
        let dressed: String = spelled.to_ascii_lowercase().chars().flat_map(|c| [c, ' ', '=']).collect();
        for text in [spelled.as_str(), dressed.as_str()] {
            let read = TotpSeed::import_base32(text).expect("what is written is read");
            assert_eq!(read.as_bytes(), data);
        }
    }
    let Some(text) = utf8(data) else { return };
    if let Some(seed) = TotpSeed::import_base32(text) {
        assert!((10..=40).contains(&seed.as_bytes().len()));
        let kept: String = text.chars().filter(|c| !matches!(c, ' ' | '=')).collect();
        assert_eq!(*seed.to_base32(), kept.to_ascii_uppercase(), "the answer echoes what was sent");
    }
    uri(text);
}

fn uri(text: &str) {
    let (issuer, user) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let uri = key_uri(&Label { issuer, user }, "JBSWY3DPEHPK3PXP");
    let rest = uri.strip_prefix("otpauth://totp/").expect("it is a key URI");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%@".contains(c);
    let (label, query) = rest.split_once('?').expect("a query");
    let (first, second) = label.split_once(':').expect("issuer and user");
    let (secret, again) = query.split_once('&').expect("secret and issuer");
    assert_eq!(secret, "secret=JBSWY3DPEHPK3PXP");
    let again = again.strip_prefix("issuer=").expect("the issuer again");
    assert!(first == again && [first, second].iter().all(|part| part.chars().all(plain)), "{uri}");
    for (part, name) in [(first, issuer), (second, user)] {
        assert_eq!(api::fuzzing::segment(part).0, Some(name.replace(':', "")), "{uri}");
    }
    if uri.len() <= domain::label::MAX_URI_BYTES {
        assert!(otpauth::qr_png(&uri).is_ok_and(|picture| picture.starts_with(b"\x89PNG")));
    }
}

/// A key that is read is the text; one that was made is read, and with one letter changed it is not.
pub fn api_key(data: &[u8]) {
    if let Some(text) = utf8(data) {
        for key in [ApiKeyText::parse(text), ApiKeyText::parse_lenient(text)].into_iter().flatten() {
            assert_eq!(key.reveal(), text);
            assert!(text.starts_with(key.mode().prefix()) && text.len() <= 128);
            assert!(!format!("{key:?}").contains(text) && !key.hint().contains(text));
        }
    }
    let mode = if data.len() % 2 == 0 { KeyMode::Test } else { KeyMode::Live };
    let Ok(key) = ApiKeyText::generate(&Given::of(data), mode) else { return };
    assert!(ApiKeyText::parse(key.reveal()).is_some());
    let place = data.first().map_or(8, |byte| 8 + usize::from(*byte) % 38);
    let mut letters = key.reveal().as_bytes().to_vec();
    if let Some(letter) = letters.get_mut(place) {
        *letter = if *letter == b'A' { b'B' } else { b'A' };
    }
    assert!(ApiKeyText::parse(utf8(&letters).unwrap_or_default()).is_none(), "a typo at {place} is taken");
}

/// A stranger's bytes never open; what was sealed opens in its place alone, and not with a bit changed.
pub fn sealed(data: &[u8]) {
    static RING: OnceLock<KeyRing> = OnceLock::new();
    let ring = RING.get_or_init(|| {
        let entropy = Given::of(b"a ring for fuzzing");
        let master = MasterKey::generate(&entropy).expect("randomness");
        KeyRing::create(&entropy, &master, 0).expect("a ring").0
    });
    let here = Binding { table: "factors", column: "totp_seed", scope: b"env", row: data };
    let there = Binding { row: b"elsewhere", ..here };
    assert!(ring.open_sealed(&here, data).is_err(), "a forgery opens");
    let mut envelope = ring.seal(&Given::of(data), &here, data).expect("randomness").0;
    assert_eq!(ring.open_sealed(&here, &envelope).expect("it opens").as_slice(), data);
    assert!(data == b"elsewhere" || ring.open_sealed(&there, &envelope).is_err(), "it opens elsewhere");
    let at = data.iter().fold(0_usize, |at, byte| at.wrapping_mul(31).wrapping_add((*byte).into()));
    let bit = at % (envelope.len() * 8);
    if let Some(byte) = envelope.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    assert!(ring.open_sealed(&here, &envelope).is_err(), "bit {bit} does not matter");
}
