//! Canaries, and every form in which one might lie about.

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXUPPER};
use memchr::memmem::Finder;
use std::{fs, path::Path};

/// Something that must be readable nowhere.
pub(crate) struct Canary {
    /// What it is, for whoever finds it.
    what: String,
    forms: Vec<(&'static str, Vec<u8>, bool)>,
}

/// The characters that `bytes` give wherever they begin inside something longer: with `before` bytes in front, and
/// without the characters that bytes beside them have a part in.
fn inside(encoding: &Encoding, bits: usize, before: usize, bytes: &[u8]) -> Vec<u8> {
    let text = encoding.encode(&[&vec![0; before], bytes].concat());
    let (from, to) = ((before * 8).div_ceil(bits), (before + bytes.len()) * 8 / bits);
    text.as_bytes()[from..to].to_vec()
}

impl Canary {
    /// Of bytes or text, in all its forms.
    pub(crate) fn new(what: &str, bytes: &[u8]) -> Self {
        let mut forms = vec![("as it is", bytes.to_vec(), false), ("in hex", hex(bytes), true)];
        for before in 0..5 {
            forms.push(("in Base32", inside(&BASE32_NOPAD, 5, before, bytes), true));
        }
        for (name, encoding) in [("in Base64", &BASE64_NOPAD), ("in Base64 of URLs", &BASE64URL_NOPAD)] {
            forms.extend((0..3).map(|before| (name, inside(encoding, 6, before, bytes), false)));
        }
        Self { what: what.to_owned(), forms }
    }

    /// The form in which it stands somewhere in `hay`, if it does. `upper` is the same in upper case, for forms that
    /// may be written in either.
    fn found(&self, hay: &[u8], upper: &[u8]) -> Option<&'static str> {
        let mut forms = self.forms.iter();
        let stands = |form: &[u8], in_either: bool| {
            let hay = if in_either { upper } else { hay };
            Finder::new(form).find_iter(hay).any(|at| !is_part_of_a_number(hay, at, form))
        };
        forms.find(|(_, form, either)| stands(form, *either)).map(|(name, ..)| *name)
    }
}

/// Whether what stands there is six digits out of more: a measured time, say, which may hold anybody's code.
fn is_part_of_a_number(hay: &[u8], at: usize, form: &[u8]) -> bool {
    let digits = form.len() == 6 && form.iter().all(u8::is_ascii_digit);
    let beside = [at.checked_sub(1), Some(at + form.len())].map(|place| hay.get(place?));
    digits && beside.into_iter().flatten().any(|c| c.is_ascii_digit() || *c == b'.')
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    HEXUPPER.encode(bytes).into_bytes()
}

/// Each canary that stands in `hay`, and how.
pub(crate) fn search(place: &str, hay: &[u8], canaries: &[Canary]) -> Vec<String> {
    let upper = hay.to_ascii_uppercase();
    let found = canaries.iter().filter_map(|c| c.found(hay, &upper).map(|form| (c, form)));
    found.map(|(canary, form)| format!("{}, {form}, is readable in {place}", canary.what)).collect()
}

/// The same in all files of a folder but those named. Answers how many bytes were looked at, too.
pub(crate) fn search_folder(folder: &Path, but: &[&str], canaries: &[Canary]) -> (usize, Vec<String>) {
    let (mut bytes, mut found) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_file() && !but.contains(&name.as_str()) {
            let hay = fs::read(entry.path()).unwrap();
            bytes += hay.len();
            found.extend(search(&name, &hay, canaries));
        }
    }
    (bytes, found)
}

/// The search finds what is there, in each form, at each place, or it would prove nothing.
#[test]
fn every_form_is_found_wherever_it_stands() {
    let canary = [Canary::new("it", b"canary \xf0\x9f\x90\xa4!")];
    let whole = b"canary \xf0\x9f\x90\xa4!".as_slice();
    for before in 0..7 {
        for after in 0..7 {
            let bytes = [&b"abcdefg"[..before], whole, &b"hijklmn"[..after]].concat();
            let lower = data_encoding::HEXLOWER.encode(&bytes);
            let small = data_encoding::BASE32.encode(&bytes).to_lowercase();
            let in_64 = [data_encoding::BASE64.encode(&bytes), data_encoding::BASE64URL.encode(&bytes)];
            for hay in [lower.as_bytes(), small.as_bytes(), in_64[0].as_bytes(), in_64[1].as_bytes(), &bytes]
            {
                assert_eq!(search("hay", hay, &canary).len(), 1, "{before} {after} {hay:?}");
            }
        }
    }
    assert_eq!(search("hay", b"canary \xf0\x9f\x90\xa3!", &canary), [""; 0]);
    let code = [Canary::new("a code", b"314159")];
    for (hay, found) in
        [(r#"{"code":"314159"}"#, 1), ("code=314159", 1), ("took 0.314159", 0), ("13141592", 0)]
    {
        assert_eq!(search("hay", hay.as_bytes(), &code).len(), found, "{hay}");
    }
}
