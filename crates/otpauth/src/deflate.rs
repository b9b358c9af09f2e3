//! A zlib stream (RFC 1950, RFC 1951) of nothing but black and white pixel rows, most of them repeated.
//!
//! A general compressor spends its time looking for what is known here beforehand: there are two byte values,
//! and each row stands several times over. So the code table is fixed once, by hand, and rows are repeated by
//! reference. That is both smaller and many times faster.

/// Writes rows of white and black bytes as a zlib stream at the end of a buffer.
pub(crate) struct Rows<'a> {
    out: &'a mut Vec<u8>,
    /// Bits not yet written, the next one lowest; fewer than 32 between calls.
    pending: u64,
    pending_bits: u32,
    checksum: Adler,
}

/// Some bits to write, the lowest first; at most 32.
#[derive(Clone, Copy)]
struct Code {
    value: u32,
    bits: u32,
}

/// A number as RFC 1951 writes numbers: from the lowest bit.
const fn number(value: u32, bits: u32) -> Code {
    Code { value, bits }
}

/// A Huffman code as RFC 1951 writes it: from the highest bit, so it is turned round here.
const fn huffman(value: u32, bits: u32) -> Code {
    Code { value: value.reverse_bits() >> (32 - bits), bits }
}

/// The header of the one block, which brings its own codes (RFC 1951, 3.2.7):
///
/// | symbol | means | code |
/// |---|---|---|
/// | 255 | a white byte | `0` |
/// | 0 | a black byte, or "no filter" before a row | `10` |
/// | 282, 283 | repeat 163–194, 195–226 bytes | `1100`, `1101` |
/// | 256 | end | `11100` |
/// | 281, 284, 285 | repeat 131–162, 227–257, 258 bytes | `11101`, `11110`, `11111` |
/// | 8–15 | from 17–256 bytes back | `000`–`111` |
///
/// White is the commoner of the two, because of the border. The header lists the lengths of these codes, itself
/// in a code whose eight symbols have three bits each: 1–5 as they are, 16 "again", 17 and 18 "zeros".
#[rustfmt::skip]
const HEADER: [Code; 42] = {
    const USED: Code = number(3, 3);
    const UNUSED: Code = number(0, 3);
    const ONE: Code = huffman(0, 3);
    const TWO: Code = huffman(1, 3);
    const THREE: Code = huffman(2, 3);
    const FOUR: Code = huffman(3, 3);
    const FIVE: Code = huffman(4, 3);
    const AGAIN: Code = huffman(5, 3);
    const FEW_ZEROS: Code = huffman(6, 3);
    const ZEROS: Code = huffman(7, 3);
    [
        number(0b101, 3), // the last block, with codes of its own
        number(286 - 257, 5), number(16 - 1, 5), number(18 - 4, 4), // symbols in the three tables
        // The code of the lengths, in the standard's order: 16 17 18 0, 8 7 9 6, 10 5 11 4, 12 3 13 2, 14 1.
        USED, USED, USED, UNUSED, UNUSED, UNUSED, UNUSED, UNUSED, UNUSED,
        USED, UNUSED, USED, UNUSED, USED, UNUSED, USED, UNUSED, USED,
        TWO, // 0
        ZEROS, number(138 - 11, 7), ZEROS, number(116 - 11, 7), // 1–254
        ONE, FIVE, // 255, 256
        ZEROS, number(24 - 11, 7), // 257–280
        FIVE, FOUR, FOUR, FIVE, FIVE, // 281–285
        FEW_ZEROS, number(8 - 3, 3), THREE, AGAIN, number(6 - 3, 2), THREE, // distances
    ]
};
const WHITE: Code = huffman(0b0, 1);
const BLACK: Code = huffman(0b10, 2);
const NO_FILTER: Code = BLACK; // both are byte 0
const END: Code = huffman(0b11100, 5);
const REPEAT_131_TO_257: [Code; 4] =
    [huffman(0b11101, 5), huffman(0b1100, 4), huffman(0b1101, 4), huffman(0b11110, 5)];
const REPEAT_258: Code = huffman(0b11111, 5);
/// The longest repeat there is.
const LONGEST: u32 = 258;

impl<'a> Rows<'a> {
    /// Begins a stream at the end of `out`.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        out.extend_from_slice(&[0x78, 0x01]); // deflate, a window of 32 KiB, nothing else
        let mut rows = Rows { out, pending: 0, pending_bits: 0, checksum: Adler { a: 1, b: 0 } };
        HEADER.iter().for_each(|code| rows.put(*code));
        rows
    }

    /// Writes a row without PNG filter, `times` times. `black` tells its bytes: 0x00 or 0xff.
    ///
    /// The table of codes covers what a QR code needs: rows of 29 to 185 bytes, each 8 or 32 times.
    pub(crate) fn push(&mut self, black: &[bool], times: u32) {
        let (mut whites, mut sum_of_whites) = (0, 0);
        self.put(NO_FILTER);
        // Sixteen bytes fill at most 32 bits, so that `put` has less often to look whether there is room.
        for bytes in black.chunks(16) {
            let mut codes = Code { value: 0, bits: 0 };
            for black in bytes {
                let code = if *black { BLACK } else { WHITE };
                codes.value |= code.value << codes.bits;
                codes.bits += code.bits;
                whites += u32::from(!black);
                sum_of_whites += whites;
            }
            self.put(codes);
        }
        let len = 1 + black.len() as u32;
        self.repeat(len * (times - 1), len);
        self.checksum.add(len, whites, sum_of_whites, times);
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self) {
        self.put(END);
        let whole_bytes = self.pending_bits.div_ceil(8);
        self.out.extend(self.pending.to_le_bytes().into_iter().take(whole_bytes as usize));
        self.out.extend_from_slice(&self.checksum.value().to_be_bytes());
    }

    /// Repeats `len` bytes from `distance` back in near-equal parts, all of them above half the longest and so
    /// within the table; with the longest parts first, the last could be as short as one byte.
    fn repeat(&mut self, len: u32, distance: u32) {
        let parts = len.div_ceil(LONGEST);
        for part in 0..parts {
            self.put_repeat(len / parts + u32::from(part < len % parts), distance);
        }
    }

    /// One repeat of 131 to 258 bytes from 17 to 256 bytes back (RFC 1951, 3.2.5).
    fn put_repeat(&mut self, len: u32, distance: u32) {
        debug_assert!((131..=LONGEST).contains(&len) && (17..=256).contains(&distance));
        if len == LONGEST {
            self.put(REPEAT_258);
        } else {
            let step = len - 131;
            self.put(REPEAT_131_TO_257[(step / 32) as usize % 4]);
            self.put(number(step % 32, 5));
        }
        // Two symbols for each power of two: the exponent, the bit below the highest, and the rest as it is.
        let back = distance - 1;
        let rest_bits = back.ilog2() - 1;
        let symbol = 2 * (rest_bits + 1) + ((back >> rest_bits) & 1);
        self.put(huffman(symbol - 8, 3));
        self.put(number(back & ((1 << rest_bits) - 1), rest_bits));
    }

    fn put(&mut self, code: Code) {
        self.pending |= u64::from(code.value) << self.pending_bits;
        self.pending_bits += code.bits;
        if self.pending_bits >= 32 {
            let [a, b, c, d, ..] = self.pending.to_le_bytes();
            self.out.extend_from_slice(&[a, b, c, d]);
            self.pending >>= 32;
            self.pending_bits -= 32;
        }
    }
}

/// The Adler-32 checksum (RFC 1950, section 9), a row at a time.
///
/// The remainders are taken at the end: a picture has at most 1,480 rows of 186 bytes, whose sums fit 64 bits.
struct Adler {
    a: u64,
    b: u64,
}

impl Adler {
    /// Adds a row of `len` bytes `times` times. Of its bytes, `whites` are 255 and the others 0; `sum_of_whites`
    /// is the sum, over all its bytes, of the whites up to there.
    ///
    /// `b` gathers `a` after each byte: what `a` was before the row once for each byte, and the row's own part;
    /// and each repetition finds `a` greater by one row's sum, hence the triangular number.
    fn add(&mut self, len: u32, whites: u32, sum_of_whites: u32, times: u32) {
        let (len, times) = (u64::from(len), u64::from(times));
        let (row, own) = (255 * u64::from(whites), 255 * u64::from(sum_of_whites));
        self.b += times * (len * self.a + own) + len * row * (times * (times - 1) / 2);
        self.a += times * row;
    }

    fn value(&self) -> u32 {
        const MODULUS: u64 = 65_521;
        ((self.b % MODULUS) << 16 | (self.a % MODULUS)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum byte by byte, as RFC 1950 defines it.
    fn adler_of(bytes: impl Iterator<Item = u8>) -> u32 {
        let (a, b) = bytes.fold((1, 0), |(a, b), byte| {
            let a = (a + u32::from(byte)) % 65_521;
            (a, (b + a) % 65_521)
        });
        b << 16 | a
    }

    #[test]
    fn the_checksum_of_repeated_rows_is_that_of_their_bytes() {
        let mut bytes = Vec::new();
        let mut stream = Vec::new();
        let mut rows = Rows::new(&mut stream);
        for y in 0..185_usize {
            let black: Vec<bool> = (0..185_usize).map(|x| x * y % 7 == 3 || y == 5).collect();
            let times = if y % 9 == 0 { 32 } else { 8 };
            rows.push(&black, times);
            for _ in 0..times {
                bytes.push(0);
                bytes.extend(black.iter().map(|black| if *black { 0x00 } else { 0xff }));
            }
        }
        assert_eq!(rows.checksum.value(), adler_of(bytes.into_iter()));
    }

    #[test]
    fn the_codes_leave_no_gap_and_do_not_overlap() {
        // Kraft's sum in thirty-seconds: a decoder refuses a table that is not full.
        let [a, b, c, d] = REPEAT_131_TO_257;
        let sum: u32 = [WHITE, BLACK, END, a, b, c, d, REPEAT_258].iter().map(|code| 32 >> code.bits).sum();
        assert_eq!(sum, 32);
    }

    #[test]
    fn every_row_of_every_version_repeats_within_the_table() {
        for len in (1..=40).map(|version| 1 + 17 + 4 * version + 8) {
            for repeated in [7 * len, 31 * len] {
                let parts: u32 = u32::div_ceil(repeated, LONGEST);
                assert!(repeated / parts >= 131 && (17..=256).contains(&len), "{repeated} bytes");
            }
        }
    }
}
