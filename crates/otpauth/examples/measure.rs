//! What the QR code of a key URI costs: `cargo run --release -p countersign-otpauth --example measure`.
//!
//! Each figure is the median (and the least) of 25 rounds of 400 calls, on one thread.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]
use countersign_otpauth::{Label, Style, key_uri, qr_data_uri, qr_modules, qr_png, qr_terminal};
use std::{hint::black_box, time::Instant};

fn measure<T>(name: &str, mut call: impl FnMut() -> T) {
    const CALLS: u32 = 400;
    let mut rounds: Vec<_> = (0..25)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| drop(black_box(call())));
            start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("  {name:12} {:6.1} µs   least {:6.1}", rounds[rounds.len() / 2], rounds[0]);
}

fn main() {
    let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    for (issuer, user) in [
        ("Acme", "alice@example.com"),
        ("Acme Corporation", "alice.liddell@example.com"),
        ("Acme Corporation Limited", "alice.liddell@example.com"),
    ] {
        let label = Label { issuer, user };
        let uri = key_uri(&label, secret);
        let (side, png) = (qr_modules(&uri).map_or(0, |m| m.size()), qr_png(&uri).map_or(0, |png| png.len()));
        println!("URI of {} bytes: {side} modules a side, PNG of {png} bytes", uri.len());
        measure("key_uri", || key_uri(black_box(&label), secret));
        measure("qr_modules", || qr_modules(black_box(&uri)));
        measure("qr_png", || qr_png(black_box(&uri)));
        measure("qr_data_uri", || qr_data_uri(black_box(&uri)));
        measure("qr_terminal", || qr_terminal(black_box(&uri), Style::Ansi));
    }
}
