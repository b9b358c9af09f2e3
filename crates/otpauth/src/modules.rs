//! The QR code as a matrix of dark and light modules.
use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};
use std::{error, fmt};

/// A QR code's modules. The border is not part of it: everything outside is light.
///
/// Holds a secret: it has no `Debug` that shows the modules.
pub struct Modules(QrCode);

/// The text is longer than the largest QR code holds at level M: 2,331 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is longer than a QR code of level M holds (2,331 bytes)")
    }
}

impl error::Error for TooLong {}

/// The smallest QR code of level M that holds exactly `text`, as UTF-8 bytes.
///
/// The mask is always the same one. The standard (ISO/IEC 18004, 7.8.3) has the encoder try eight and keep the
/// best-looking, which costs many times the rest; a reader takes any, since the code itself names its mask.
///
/// # Errors
/// [`TooLong`] above 2,331 bytes.
pub fn qr_modules(text: &str) -> Result<Modules, TooLong> {
    let segments = [QrSegment::make_bytes(text.as_bytes())];
    let (min, max, mask) = (Version::MIN, Version::MAX, Some(Mask::new(2)));
    QrCode::encode_segments_advanced(&segments, QrCodeEcc::Medium, min, max, mask, false)
        .map(Modules)
        .map_err(|_| TooLong)
}

impl Modules {
    /// Modules along a side, without any border: 21, 25, … 177.
    pub fn size(&self) -> usize {
        usize::try_from(self.0.size()).unwrap_or_default()
    }

    /// Whether the module in column `x`, row `y` is dark; outside the code nothing is.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        match (i32::try_from(x), i32::try_from(y)) {
            (Ok(x), Ok(y)) => self.0.get_module(x, y),
            _ => false,
        }
    }
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Modules").field("size", &self.size()).finish_non_exhaustive()
    }
}
