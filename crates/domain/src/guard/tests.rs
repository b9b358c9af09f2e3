//! The rules over made-up pasts.

use super::*;
use crate::phone::Prefix;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000)
}

fn words(hits: &[Hit]) -> Vec<(&'static str, bool)> {
    hits.iter().map(|hit| (hit.rule.word(), hit.enforced)).collect()
}

fn country(text: &str) -> Country {
    Country::parse(text).unwrap()
}

#[test]
fn numbers_are_cut_so_that_no_single_one_is_kept() {
    for (number, block, area) in [
        ("+14155552671", "+14155552", "+141555"),
        ("+442079460958", "+442079460", "+442079"),
        ("+44123456", "+44123", "+4412"),
        ("", "", ""),
    ] {
        assert_eq!((block_of(number), area_of(number)), (block, area), "{number}");
    }
}

#[test]
fn an_address_stands_for_whoever_has_it_alone() {
    for (text, bytes) in [
        ("198.51.100.7", Some(vec![198, 51, 100, 7])),
        ("::ffff:198.51.100.7", Some(vec![198, 51, 100, 7])),
        ("2001:db8:1:2:3:4:5:6", Some(vec![0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2])),
        ("10.0.0.1", None),
        ("127.0.0.1", None),
        ("0.0.0.0", None),
        ("fe80::1", None),
        ("fd00::1", None),
        ("::1", None),
        ("198.51.100.7:80", None),
        ("198.51.100.07", None),
        ("", None),
        ("somebody", None),
    ] {
        assert_eq!(address_of(text), bytes, "{text}");
    }
}

#[test]
fn the_default_asks_nothing() {
    let rules = Rules::default();
    let past = vec![Past { at: at(0), verified: false }; 1_000];
    let seen = Seen {
        number: vec![at(0); 1_000],
        block: past,
        spent: Money::from_micros(u64::MAX),
        ..Seen::default()
    };
    assert_eq!(rules.judge_number("+88161234567"), []);
    assert_eq!(rules.judge_counts(Country::NONE, Money::from_micros(u64::MAX), &seen, at(0)), []);
    assert_eq!(rules.looks_at(), [0; 5]);
}

#[test]
fn countries_and_ranges_go_by_the_number_alone() {
    let prefix = |text| Prefix::parse(text).unwrap();
    let rules = |mode| Rules {
        countries: Countries {
            mode,
            allowed: vec![country("US"), country("GB")],
            denied: vec![country("GB")],
        },
        ranges: Ranges { mode, also: vec![prefix("+1415")] },
        ..Rules::default()
    };
    for (number, said) in [
        ("+12125552671", &[][..]),
        ("+442079460958", &["countries"]),
        ("+18765552671", &["countries"]),
        ("+881612345678", &["countries", "ranges"]),
        ("+19005552671", &["ranges"]),
        ("+14155552671", &["ranges"]),
        ("+141555", &["ranges"]),
    ] {
        for (mode, enforced) in [(Mode::Enforce, true), (Mode::Record, false)] {
            let expected: Vec<_> = said.iter().map(|word| (*word, enforced)).collect();
            assert_eq!(words(&rules(mode).judge_number(number)), expected, "{number}");
        }
        assert_eq!(rules(Mode::Off).judge_number(number), []);
    }
}

#[test]
fn a_velocity_limit_says_until_when() {
    let limits: SmsLimits = "2/1m,3/1h".parse().unwrap();
    let velocity = Velocity { mode: Mode::Enforce, user: Some(limits), ..Velocity::default() };
    let rules = Rules { velocity, ..Rules::default() };
    assert_eq!(rules.looks_at(), [0, 0, 0, 3, 0]);
    let judge = |sent: &[i64], now| {
        let seen = Seen { user: sent.iter().map(|s| at(*s)).collect(), ..Seen::default() };
        rules.judge_counts(country("US"), Money::default(), &seen, at(now)).first().and_then(|hit| hit.until)
    };
    assert_eq!(judge(&[10], 11), None);
    assert_eq!(judge(&[10, 0], 11), Some(at(60)));
    assert_eq!(judge(&[10, 0], 60), None);
    assert_eq!(judge(&[200, 100, 0], 201), Some(at(3_600)));
    assert_eq!(judge(&[200, 190, 0], 201), Some(at(3_600)), "the limit that lasts longest");
}

#[test]
fn many_texts_of_which_few_are_verified_stop_a_block() {
    let unverified = Unverified { mode: Mode::Enforce, window_seconds: 600, texts: 10, percent: 20 };
    let rules = Rules { unverified, ..Rules::default() };
    let judge = |texts: usize, verified: usize, now| {
        let past = (0..texts).map(|n| Past { at: at(0), verified: n < verified });
        let seen = Seen { block: past.collect(), ..Seen::default() };
        words(&rules.judge_counts(country("US"), Money::default(), &seen, at(now))).len()
    };
    assert_eq!(judge(9, 0, 1), 0, "too few to say");
    assert_eq!(judge(10, 0, 1), 1);
    assert_eq!(judge(10, 1, 1), 1);
    assert_eq!(judge(10, 2, 1), 0, "a fifth is enough");
    assert_eq!(judge(11, 2, 1), 1);
    assert_eq!(judge(1_000, 0, 600), 0, "the window is over");
}

#[test]
fn a_cap_is_never_passed_and_lasts_until_midnight() {
    let money = |text| Money::parse(text).unwrap();
    let caps = Caps {
        mode: Mode::Record,
        environment: Some(money("10")),
        each_country: Some(money("2")),
        countries: BTreeMap::from([(country("US"), money("8"))]),
    };
    let rules = Rules { caps, ..Rules::default() };
    let judge = |code, spent, in_country, price| {
        let seen = Seen { spent: money(spent), spent_in_country: money(in_country), ..Seen::default() };
        rules.judge_counts(country(code), money(price), &seen, at(0))
    };
    assert_eq!(judge("US", "9.99", "7.99", "0.01"), []);
    assert_eq!(
        words(&judge("US", "9.99", "7.99", "0.010001")),
        [("caps.environment", false), ("caps.country", false)]
    );
    assert_eq!(words(&judge("US", "0", "8", "0.01")), [("caps.country", false)]);
    assert_eq!(words(&judge("GB", "0", "1.99", "0.02")), [("caps.country", false)]);
    assert_eq!(judge("US", "10", "0", "0"), [], "what is free may go out");
    let until = judge("US", "10", "0", "1").first().and_then(|hit| hit.until).unwrap();
    assert_eq!((until.millis() % 86_400_000, day_of(until)), (0, day_of(at(0)) + 1));
}

#[test]
fn a_rehearsal_enforces_what_is_only_recorded_and_asks_nothing_that_is_off() {
    let mut rules = Rules::default();
    (rules.countries.mode, rules.caps.mode) = (Mode::Record, Mode::Enforce);
    let enforced = rules.enforced();
    assert_eq!(
        (enforced.countries.mode, enforced.caps.mode, enforced.ranges.mode),
        (Mode::Enforce, Mode::Enforce, Mode::Off)
    );
}

proptest! {
    /// A larger past never lets more through: each list only grows.
    #[test]
    fn one_text_more_never_opens_a_limit(mut sent in proptest::collection::vec(0i64..4_000, 0..30), now in 0i64..4_000) {
        let limits: SmsLimits = "3/1m,10/1h".parse().unwrap();
        sent.retain(|s| *s <= now);
        sent.sort_unstable_by(|a, b| b.cmp(a));
        let times: Vec<_> = sent.iter().map(|s| at(*s)).collect();
        let fewer = times.get(1..).unwrap_or_default();
        prop_assert!(latest_end(&limits, fewer, at(now)) <= latest_end(&limits, &times, at(now)));
    }
}
