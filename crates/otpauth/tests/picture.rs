//! W12: the picture says exactly the text, in the form the contract fixes, to readers other than ours.
#![allow(clippy::unwrap_used, reason = "the helpers here are tests too")]
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_otpauth::{Label, TooLong, key_uri, qr_data_uri, qr_modules, qr_png};
use png::{BitDepth, ColorType, DecodeOptions, Decoder};
use proptest::prelude::*;
use std::io::Cursor;

/// Pixels along a module, and modules along a side of the border: W12.
const SCALE: usize = 8;
const BORDER: usize = 4;

struct Picture {
    side: usize,
    /// One for each pixel, row by row.
    black: Vec<bool>,
}

impl Picture {
    fn is_black(&self, x: usize, y: usize) -> bool {
        self.black[y * self.side + x]
    }
}

/// Decodes a PNG, checksums included, and checks the form that W12 fixes.
fn decoded(png: &[u8]) -> Picture {
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(false);
    let mut reader = Decoder::new_with_options(Cursor::new(png), options).read_info().unwrap();
    let info = reader.info();
    assert_eq!((info.color_type, info.bit_depth), (ColorType::Grayscale, BitDepth::One));
    assert!(info.trns.is_none(), "white is opaque");
    assert!(!info.interlaced);
    assert_eq!(info.width, info.height);
    let side = info.width as usize;
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut bytes).unwrap();
    reader.finish().unwrap();
    assert_eq!(bytes.len(), side * side / 8, "rows end on a byte");
    let black = bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte << bit & 0x80 == 0)).collect();
    Picture { side, black }
}

/// Reads the one QR code in a square of pixels, and checks that its level is M.
fn read(side: usize, is_black: impl Fn(usize, usize) -> bool) -> String {
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| if is_black(x, y) { 0 } else { 255 });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one QR code in the picture");
    let (meta, text) = grids[0].decode().unwrap();
    assert_eq!(meta.ecc_level, 0b00, "level M, as the format bits write it");
    text
}

/// Checks the picture of a text in every respect, and gives back its modules along a side.
fn check(text: &str) -> usize {
    let picture = decoded(&qr_png(text).unwrap());
    let modules = qr_modules(text).unwrap();
    assert_eq!(picture.side, (modules.size() + 2 * BORDER) * SCALE);
    for y in 0..picture.side {
        let dark = |x: usize| {
            let module = (x / SCALE).checked_sub(BORDER).zip((y / SCALE).checked_sub(BORDER));
            module.is_some_and(|(x, y)| modules.is_dark(x, y))
        };
        let row = &picture.black[y * picture.side..][..picture.side];
        assert!((0..picture.side).map(dark).eq(row.iter().copied()), "pixel row {y}");
    }
    // Every module is now known to be a square of one colour: half the pixels tell the reader as much.
    assert_eq!(read(picture.side / 2, |x, y| picture.is_black(2 * x, 2 * y)), text);
    modules.size()
}

/// A text of printable ASCII of some length, different at each position.
fn text_of(len: usize) -> String {
    (0..len).map(|i| char::from(b'!' + (i * i % 89 + i % 5) as u8)).collect()
}

fn usual_uri() -> String {
    let label = Label { issuer: "Acme Corporation", user: "alice@example.com" };
    key_uri(&label, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
}

/// The shortest and the longest text of each version: between them lies no change of form.
#[test]
fn w12_every_version_up_to_1024_bytes_reads_back_exactly() {
    let lengths: Vec<usize> = (1..=1024).collect();
    let longest = |size| lengths.partition_point(|len| qr_modules(&text_of(*len)).unwrap().size() <= size);
    for size in (1..=26).map(|version| 17 + 4 * version) {
        assert_eq!(check(&text_of(longest(size - 4) + 1)), size);
        assert_eq!(check(&text_of(longest(size))), size);
    }
    assert_eq!(longest(17 + 4 * 26), 1024, "no text of up to 1,024 bytes needs a greater version");
}

#[test]
fn w12_the_border_is_four_modules_and_the_code_begins_right_behind_it() {
    let picture = decoded(&qr_png(&usual_uri()).unwrap());
    let (near, far) = (BORDER * SCALE, picture.side - BORDER * SCALE - 1);
    for at in 0..picture.side {
        for depth in 0..near {
            let (end, other) = (picture.side - 1 - depth, [(at, depth), (depth, at)]);
            assert!(!picture.is_black(at, end) && !picture.is_black(end, at));
            assert!(other.iter().all(|(x, y)| !picture.is_black(*x, *y)));
        }
    }
    // The outer corners of the three finder patterns.
    assert!([(near, near), (far, near), (near, far)].iter().all(|(x, y)| picture.is_black(*x, *y)));
}

#[test]
fn w12_the_picture_scans_on_a_dark_page() {
    let (text, margin) = (usual_uri(), 60);
    let picture = decoded(&qr_png(&text).unwrap());
    let on_picture = |at: usize| at.checked_sub(margin).filter(|at| *at < picture.side);
    let scanned = read(picture.side + 2 * margin, |x, y| {
        on_picture(x).zip(on_picture(y)).is_none_or(|(x, y)| picture.is_black(x, y))
    });
    assert_eq!(scanned, text);
}

#[test]
fn w12_the_data_uri_holds_the_png_and_nothing_else() {
    let uri = usual_uri();
    let data = qr_data_uri(&uri).unwrap();
    let png = STANDARD.decode(data.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
    assert_eq!(png, qr_png(&uri).unwrap());
    assert!(data.len() < 2_000, "{} bytes ride in every answer to an enrollment", data.len());
}

#[test]
fn the_largest_code_is_drawn_and_one_byte_more_is_refused() {
    assert_eq!(check(&text_of(2_331)), 177);
    for answer in [qr_png(&text_of(2_332)).map(drop), qr_data_uri(&text_of(2_332)).map(drop)] {
        assert_eq!(answer, Err(TooLong));
    }
}

#[test]
fn no_debug_output_shows_the_modules() {
    assert_eq!(format!("{:?}", qr_modules("secret").unwrap()), "Modules { size: 21, .. }");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn w12_any_label_reads_back_from_its_picture(issuer in "\\PC{1,20}", user in "\\PC{1,20}") {
        check(&key_uri(&Label { issuer: &issuer, user: &user }, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"));
    }

    #[test]
    fn any_text_reads_back_from_its_picture(text in any::<String>().prop_filter("some text", |t| !t.is_empty())) {
        check(&text);
    }
}
