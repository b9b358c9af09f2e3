//! Which country a number belongs to, by how it begins (ITU-T E.164 and the North American plan).

use std::{collections::HashMap, fmt, sync::OnceLock};

/// A country as ISO 3166-1 writes it in two letters; `ZZ` for numbers of no country, such as satellite phones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// Each country with the beginnings of its numbers. The longest beginning decides, so `US` is what is left of `1`.
const COUNTRIES: &str = "
US 1
CA 1204 1226 1236 1249 1250 1257 1263 1289 1306 1343 1354 1365 1367 1368 1382 1387 1403 1416 1418 1428 1431 1437 1438
CA 1450 1460 1468 1474 1506 1514 1519 1537 1548 1568 1579 1581 1584 1587 1604 1613 1639 1647 1672 1683 1705 1709 1742
CA 1753 1778 1780 1782 1807 1819 1825 1867 1873 1879 1902 1905 1942
AG 1268|AI 1264|AS 1684|BB 1246|BM 1441|BS 1242|DM 1767|DO 1809 1829 1849|GD 1473|GU 1671|JM 1658 1876|KN 1869|KY 1345
LC 1758|MP 1670|MS 1664|PR 1787 1939|SX 1721|TC 1649|TT 1868|VC 1784|VG 1284|VI 1340
EG 20|SS 211|MA 212|DZ 213|TN 216|LY 218|GM 220|SN 221|MR 222|ML 223|GN 224|CI 225|BF 226|NE 227|TG 228|BJ 229|MU 230
LR 231|SL 232|GH 233|NG 234|TD 235|CF 236|CM 237|CV 238|ST 239|GQ 240|GA 241|CG 242|CD 243|AO 244|GW 245|IO 246|SC 248
SD 249|RW 250|ET 251|SO 252|DJ 253|KE 254|TZ 255|UG 256|BI 257|MZ 258|ZM 260|MG 261|RE 262|YT 262269 262639|ZW 263
NA 264|MW 265|LS 266|BW 267|SZ 268|KM 269|ZA 27|SH 290|ER 291|AW 297|FO 298|GL 299|GR 30|NL 31|BE 32|FR 33|ES 34|GI 350
PT 351|LU 352|IE 353|IS 354|AL 355|MT 356|CY 357|FI 358|BG 359|HU 36|LT 370|LV 371|EE 372|MD 373|AM 374|BY 375|AD 376
MC 377|SM 378|VA 379 3906698|UA 380|RS 381|ME 382|XK 383|HR 385|SI 386|BA 387|MK 389|IT 39|RO 40|CH 41|CZ 420|SK 421
LI 423|AT 43|GB 44|GG 441481|JE 441534|IM 441624|DK 45|SE 46|NO 47|PL 48|DE 49|FK 500|BZ 501|GT 502|SV 503|HN 504
NI 505|CR 506|PA 507|PM 508|HT 509|PE 51|MX 52|CU 53|AR 54|BR 55|CL 56|CO 57|VE 58|GP 590|BO 591|GY 592|EC 593|GF 594
PY 595|MQ 596|SR 597|UY 598|CW 599|BQ 5993 5994 5997|MY 60|AU 61|ID 62|PH 63|NZ 64|SG 65|TH 66|TL 670|AQ 6721|NF 6723
BN 673|NR 674|PG 675|TO 676|SB 677|VU 678|FJ 679|PW 680|WF 681|CK 682|NU 683|WS 685|KI 686|NC 687|TV 688|PF 689|TK 690
FM 691|MH 692|RU 7|KZ 76 77|JP 81|KR 82|VN 84|KP 850|HK 852|MO 853|KH 855|LA 856|CN 86|BD 880|TW 886|TR 90|IN 91|PK 92
AF 93|LK 94|MM 95|MV 960|LB 961|JO 962|SY 963|IQ 964|KW 965|SA 966|YE 967|OM 968|PS 970|AE 971|IL 972|BH 973|QA 974
BT 975|MN 976|NP 977|IR 98|TJ 992|TM 993|AZ 994|GE 995|KG 996|UZ 998";

/// The longest beginning in the table.
const LONGEST: usize = 7;

/// Beginnings, with or without `+`, that no verification goes to: satellite and global networks, premium rate, shared
/// cost and personal numbers. Known ones, not all there are; `also` of the rule adds others.
pub(super) const COSTLY: &[&str] = &[
    // International: free and shared cost, satellites and networks without a country, premium.
    "800", "808", "870", "878", "881", "882", "883", "888", "979",  // North America.
    "1900", // United Kingdom, France, Germany.
    "449", "4470", "4484", "4487", "3389", "49900", "49137", "49180",
    // Italy, Spain, Netherlands, Belgium, Switzerland, Austria.
    "39892", "39899", "34803", "34806", "34807", "34905", "31900", "31906", "31909", "3290", "41900", "41901",
    "41906", "43900", "43930", "43931", // Sweden, Finland, Australia, New Zealand.
    "46900", "46939", "46944", "358600", "358700", "61190", "64900",
];

fn table() -> &'static HashMap<&'static str, Country> {
    static TABLE: OnceLock<HashMap<&'static str, Country>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let entries = COUNTRIES.split(['\n', '|']).filter_map(|entry| entry.split_once(' '));
        let each = entries.flat_map(|(code, beginnings)| {
            let country = Country::letters(code);
            beginnings.split(' ').filter_map(move |b| Some((b, country?)))
        });
        each.collect()
    })
}

impl Country {
    /// No country.
    pub const NONE: Self = Self(*b"ZZ");

    fn letters(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    /// Reads two letters.
    ///
    /// # Errors
    /// Says what is wrong, without the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let country =
            Self::letters(text).ok_or("has a country that is not two capital letters, such as US")?;
        let known = country == Self::NONE || table().values().any(|c| *c == country);
        known.then_some(country).ok_or("has a country that no number belongs to")
    }

    /// The country of a number, or of as much of its beginning as is known; with or without `+`.
    #[must_use]
    pub fn of(number: &str) -> Self {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let begin = (1..=LONGEST.min(digits.len())).rev();
        begin.filter_map(|n| table().get(digits.get(..n)?)).next().copied().unwrap_or(Self::NONE)
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_says_the_country() {
        for (number, country) in [
            ("+14155552671", "US"),
            ("+14165552671", "CA"),
            ("+18765552671", "JM"),
            ("+442079460958", "GB"),
            ("+441481123456", "GG"),
            ("+77011234567", "KZ"),
            ("+79161234567", "RU"),
            ("+390669812345", "VA"),
            ("+390612345678", "IT"),
            ("+59991234567", "CW"),
            ("+59931234567", "BQ"),
            ("+881612345678", "ZZ"),
            ("+999123456789", "ZZ"),
            ("+49", "DE"),
            ("+", "ZZ"),
            ("", "ZZ"),
        ] {
            assert_eq!(Country::of(number).as_str(), country, "{number}");
        }
    }

    #[test]
    fn every_country_is_once_in_the_table_and_no_beginning_twice() {
        let entries: Vec<&str> = COUNTRIES.split(['\n', '|']).filter(|e| !e.is_empty()).collect();
        let beginnings: Vec<&str> = entries.iter().flat_map(|e| e.split(' ').skip(1)).collect();
        assert_eq!(beginnings.len(), table().len(), "a beginning stands twice");
        assert!(beginnings.iter().all(|b| (1..=LONGEST).contains(&b.len())));
        let mut codes: Vec<&str> = entries.iter().map(|e| e.split(' ').next().unwrap()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert!(codes.len() > 220, "{}", codes.len());
    }

    #[test]
    fn what_is_no_country_is_refused() {
        for (text, known) in [
            ("US", true),
            ("ZZ", true),
            ("us", false),
            ("USA", false),
            ("", false),
            ("QQ", false),
            ("é", false),
        ] {
            assert_eq!(Country::parse(text).is_ok(), known, "{text}");
        }
    }
}
