//! The key URI of a TOTP factor and its QR code: as a PNG, as a data URI, and drawn in a terminal.
//!
//! The URI follows the [Key URI Format] in its short form; the picture is a QR code after ISO/IEC 18004 in a
//! PNG after RFC 2083, compressed by hand (see [`qr_png`] and `docs/decisions/0003-qr-codes.md`).
//!
//! What passes through here is a secret: nothing in this crate prints it, and no error repeats it.
//!
//! [Key URI Format]: https://github.com/google/google-authenticator/wiki/Key-Uri-Format

mod deflate;
mod modules;
mod picture;
mod terminal;
mod uri;

pub use modules::{Modules, TooLong, qr_modules};
pub use picture::{qr_data_uri, qr_png};
pub use terminal::{Style, qr_terminal};
pub use uri::{Label, key_uri, without_colons};
