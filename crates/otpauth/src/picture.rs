//! The QR code as a PNG of one bit a pixel.
use crate::{Modules, TooLong, deflate::Rows, qr_modules};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// Light modules on each side: what the standard asks for (ISO/IEC 18004, 5.3.8), and dark pages need.
const BORDER: usize = 4;
/// Pixels along a module's side. With one bit a pixel, a module's row is just one byte.
const SCALE: u32 = 8;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The QR code of exactly `text` as a PNG: level M, 8 pixels a module, a border of 4 modules, black on opaque
/// white (1-bit greyscale).
///
/// # Errors
/// [`TooLong`] above 2,331 bytes.
pub fn qr_png(text: &str) -> Result<Vec<u8>, TooLong> {
    Ok(png(&qr_modules(text)?))
}

/// [`qr_png`] as a data URI: `data:image/png;base64,…`, as a page's `<img src>` takes it.
///
/// # Errors
/// [`TooLong`] above 2,331 bytes.
pub fn qr_data_uri(text: &str) -> Result<String, TooLong> {
    const SCHEME: &str = "data:image/png;base64,";
    let png = Zeroizing::new(qr_png(text)?);
    let mut uri = String::with_capacity(SCHEME.len() + png.len().div_ceil(3) * 4);
    uri.push_str(SCHEME);
    STANDARD.encode_string(png.as_slice(), &mut uri);
    Ok(uri)
}

fn png(modules: &Modules) -> Vec<u8> {
    let side = modules.size() + 2 * BORDER;
    // At most 2 bits a module and 19 for each of at most 6 repeats a row; growing would leave the picture's
    // beginnings in freed memory.
    let mut png = Vec::with_capacity(128 + side * (side + 64) / 4);
    png.extend_from_slice(SIGNATURE);
    chunk(&mut png, b"IHDR", |body| {
        let pixels = SCALE * side as u32;
        body.extend_from_slice(&pixels.to_be_bytes());
        body.extend_from_slice(&pixels.to_be_bytes());
        body.extend_from_slice(&[1, 0, 0, 0, 0]); // one bit, grey; deflate, adaptive filters, no interlace
    });
    chunk(&mut png, b"IDAT", |body| {
        let mut rows = Rows::new(body);
        let mut row = Zeroizing::new(vec![false; side]);
        let border = SCALE * BORDER as u32;
        rows.push(&row, border);
        for y in 0..modules.size() {
            let inside = row.iter_mut().skip(BORDER).take(modules.size());
            inside.enumerate().for_each(|(x, black)| *black = modules.is_dark(x, y));
            rows.push(&row, SCALE);
        }
        row.fill(false);
        rows.push(&row, border);
        rows.finish();
    });
    chunk(&mut png, b"IEND", |_| {});
    png
}

/// A chunk: length of the body, type, body, CRC of type and body (PNG, section 5.3).
fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], write_body: impl FnOnce(&mut Vec<u8>)) {
    let start = png.len();
    png.extend_from_slice(&[0; 4]);
    png.extend_from_slice(kind);
    write_body(png);
    if let Some((length, checked)) = png.get_mut(start..).and_then(|chunk| chunk.split_first_chunk_mut()) {
        *length = (checked.len() as u32 - 4).to_be_bytes();
        let crc = crc32fast::hash(checked);
        png.extend_from_slice(&crc.to_be_bytes());
    }
}
