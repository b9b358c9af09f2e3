//! `[guard]` as it is read.

use super::*;

fn read(text: &str) -> Result<Guarding, String> {
    rules_of_file(text)
}

#[test]
fn an_empty_table_records_and_refuses_nothing() {
    let guarding = read("[guard]").unwrap();
    assert_eq!(guarding.guards.keep_days, 8);
    assert_eq!(
        guarding.explain(),
        "kept 8 days; usual: ranges premium, satellite (record), velocity.block 30/1h,100/24h (record), velocity.user \
         10/1h,30/24h (record), velocity.address 10/1h,30/24h (record), unverified from 20 texts in 60 minutes on, 20 % \
         of them (record)"
    );
    assert_eq!(Guarding::default().explain(), "off: nothing is counted");
}

#[test]
fn an_environment_has_its_own_tables_in_the_place_of_the_usual_ones() {
    let text = "data = '/d'
        [guard]
        mode = 'enforce'
        [guard.prices]
        currency = 'USD'
        default = '0.05'
        '+1' = '0.0079'
        [guard.caps]
        environment = '250'
        countries = { GB = '20.5' }
        [guard.velocity]
        block = 'off'
        [guard.environments.shop]
        mode = 'record'
        [guard.environments.shop.caps]
        mode = 'enforce'
        each_country = '1'
        [[guard.test_numbers]]
        environment = 'store'
        number = '+14155550100'
        code = '831975'
        until = '2027-01-31T00:00:00Z'";
    let guarding = read(text).unwrap();
    let Guards { usual, by_environment, .. } = &guarding.guards;
    assert_eq!((usual.caps.mode, usual.ranges.mode), (Mode::Enforce, Mode::Enforce));
    assert_eq!((usual.velocity.block.as_ref(), usual.prices.of("+1415").micros()), (None, 7_900));
    let shop = &by_environment["shop"];
    assert_eq!(
        (shop.caps.mode, shop.ranges.mode, shop.velocity.mode),
        (Mode::Enforce, Mode::Record, Mode::Record)
    );
    assert_eq!((shop.caps.environment, shop.caps.each_country.map(Money::micros)), (None, Some(1_000_000)));
    assert_eq!(shop.prices, usual.prices);
    let store = &by_environment["store"];
    assert_eq!((store.caps.clone(), store.test_numbers.len()), (usual.caps.clone(), 1));
    assert!(usual.test_numbers.is_empty());
    let said = guarding.explain();
    assert!(
        said.contains("caps.country GB 20.50 USD (enforce)") && said.contains("1 test numbers"),
        "{said}"
    );
    assert!(!format!("{guarding:?}").contains("831975"), "a code does not print");
}

#[test]
fn what_is_wrong_with_the_guard_is_named() {
    let prices = "[guard.prices]\ncurrency = 'USD'\ndefault = '1'\n";
    let test = "[[guard.test_numbers]]\nenvironment = 'e'\nnumber = '+14155550100'\ncode = '831975'\n";
    for (text, named) in [
        ("data = '/d'", "no `[guard]`"),
        ("[guard]\nmood = 'record'", "mood"),
        ("[guard]\nmode = 'warn'", "warn"),
        ("[guard]\nkeep_days = 0", "`guard.keep_days` must be 1 to 62"),
        ("[guard.prices]\ncurrency = 'USD'\n'+1' = '0.01'", "`default`"),
        ("[guard.prices]\ndefault = '1'", "`currency`"),
        ("[guard.prices]\ncurrency = 'usd'\ndefault = '1'", "guard.prices.currency"),
        ("[guard.prices]\ncurrency = 'USD'\ndefault = '1'\n1 = '1'", "guard.prices.1"),
        ("[guard.prices]\ncurrency = 'USD'\ndefault = '0,01'", "`guard.prices.default` is not an amount"),
        ("[guard.prices]\ncurrency = 'USD'\ndefault = 0.01", "string"),
        ("[guard.caps]\nenvironment = '5'", "`guard.caps` needs `[guard.prices]`"),
        ("{prices}[guard.caps]\ncountries = { XX = '5' }", "`guard.caps.countries.XX` has a country"),
        ("[guard.countries]\nallowed = ['usa']", "`guard.countries.allowed` has a country"),
        ("[guard.ranges]\nalso = ['1900']", "`guard.ranges.also` has a prefix"),
        ("[guard.velocity]\nuser = '5'", "`guard.velocity.user`"),
        ("[guard.unverified]\npercent = 101", "`guard.unverified.percent` must be 1 to 100"),
        ("[guard.environments.shop.unverified]\ntexts = 0", "`guard.environments.shop.unverified.texts`"),
        ("[guard.environments.shop.prices]\n", "prices"),
        ("{test}until = 'never'", "`guard.test_numbers.until`"),
        ("{test}until = '2027-01-31T00:00:00Z'\n{test}until = '2027-01-31T00:00:00Z'", "twice"),
        (
            "[[guard.test_numbers]]\nenvironment = 'e'\nnumber = '1'\ncode = '1'\nuntil = ''",
            "`guard.test_numbers.number`",
        ),
    ] {
        let said = read(&text.replace("{prices}", prices).replace("{test}", test)).unwrap_err();
        assert!(said.contains(named), "{named:?} is not in {said:?}");
        assert!(!said.contains("831975"));
    }
}
