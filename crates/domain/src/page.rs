//! Paging through a list by cursor (W14). Knows nothing of what is listed but how its ids are read.

use std::ops::RangeInclusive;

/// How many entries a page may have (W14).
pub const LIMITS: RangeInclusive<usize> = 1..=100;
/// How many entries a page has if the caller does not say (W14).
pub const DEFAULT_LIMIT: usize = 10;

/// The query parameters of a list as they came, percent-decoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageQuery<'a> {
    /// `limit`
    pub limit: Option<&'a str>,
    /// `order`
    pub order: Option<&'a str>,
    /// `after`
    pub after: Option<&'a str>,
    /// `before`
    pub before: Option<&'a str>,
}

/// The query parameter a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageField {
    /// `limit`
    Limit,
    /// `order`
    Order,
    /// `after`
    After,
    /// `before`
    Before,
}

impl PageField {
    /// The parameter's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Order => "order",
            Self::After => "after",
            Self::Before => "before",
        }
    }
}

/// The order entries are listed or read in: by `created_at`, then id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first: `desc`, and `normal`, which means the same.
    #[default]
    Descending,
}

impl Order {
    /// The other way round.
    pub fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// The position a page adjoins, in the order chosen. The entry itself need not exist any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor<Id> {
    /// The page follows this id.
    After(Id),
    /// The page immediately precedes this id.
    Before(Id),
}

impl<Id> Cursor<Id> {
    /// The id, whichever side of it the page is on.
    pub fn id(&self) -> &Id {
        match self {
            Self::After(id) | Self::Before(id) => id,
        }
    }
}

/// One page of a list, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<Id> {
    /// Most entries on the page, 1 to 100.
    pub limit: usize,
    /// The order of the entries in the answer.
    pub order: Order,
    /// Where the page is; at the beginning of the list if absent.
    pub cursor: Option<Cursor<Id>>,
}

/// What to read from the store for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan<'a, Id> {
    /// The direction to read in, which for [`Cursor::Before`] is against the order of the answer.
    pub direction: Order,
    /// Only what comes strictly beyond this position, in that direction.
    pub beyond: Option<&'a Id>,
    /// Most rows to read: one more than the page has, to see whether the list goes on.
    pub rows: usize,
}

/// One page, in the order chosen, and the cursors to its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, Id> {
    /// At most `limit` entries.
    pub items: Vec<T>,
    /// The first entry's id, if entries precede it.
    pub before: Option<Id>,
    /// The last entry's id, if entries follow it.
    pub after: Option<Id>,
}

impl PageQuery<'_> {
    /// Reads the parameters. An empty cursor is absent; an empty `limit` or `order` is not.
    ///
    /// # Errors
    /// For every parameter that is wrong, what is wrong with it, to be put after its name.
    pub fn parse<Id>(
        self,
        read_cursor: impl Fn(&str) -> Option<Id>,
    ) -> Result<PageRequest<Id>, Vec<(PageField, &'static str)>> {
        let mut problems = Vec::new();
        let mut note = |field, problem| problems.push((field, problem));

        let limit = self.limit.map_or(Some(DEFAULT_LIMIT), read_limit).unwrap_or_else(|| {
            note(PageField::Limit, "must be an integer from 1 to 100");
            DEFAULT_LIMIT
        });
        let order = self.order.map_or(Some(Order::default()), read_order).unwrap_or_else(|| {
            note(PageField::Order, "must be a valid enum value");
            Order::default()
        });
        let mut read = |field, text: Option<&str>| {
            let text = text.filter(|text| !text.is_empty())?;
            let id = read_cursor(text);
            if id.is_none() {
                note(field, "must be a well-formed id");
            }
            Some(id)
        };
        let cursor = match (read(PageField::After, self.after), read(PageField::Before, self.before)) {
            (Some(_), Some(_)) => {
                note(PageField::Before, "must not be given together with after");
                None
            }
            (Some(after), None) => after.map(Cursor::After),
            (None, before) => before.flatten().map(Cursor::Before),
        };
        if problems.is_empty() { Ok(PageRequest { limit, order, cursor }) } else { Err(problems) }
    }
}

fn read_limit(text: &str) -> Option<usize> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|limit| LIMITS.contains(limit))
}

fn read_order(text: &str) -> Option<Order> {
    match text {
        "desc" | "normal" => Some(Order::Descending),
        "asc" => Some(Order::Ascending),
        _ => None,
    }
}

impl<Id> PageRequest<Id> {
    /// What to read from the store.
    pub fn scan(&self) -> Scan<'_, Id> {
        let backwards = matches!(self.cursor, Some(Cursor::Before(_)));
        Scan {
            direction: if backwards { self.order.reversed() } else { self.order },
            beyond: self.cursor.as_ref().map(Cursor::id),
            rows: self.limit.saturating_add(1),
        }
    }

    /// Builds the page from the rows that [`PageRequest::scan`] asked for, in the order they were read.
    ///
    /// `more_behind` says whether the list has entries on the other side of the page: at the cursor itself or
    /// on its far side, seen from the page. Without a cursor there are none.
    pub fn page<T>(&self, mut rows: Vec<T>, more_behind: bool, id_of: impl Fn(&T) -> Id) -> Page<T, Id> {
        let more_ahead = rows.len() > self.limit;
        rows.truncate(self.limit);
        let (precede, follow) = match self.cursor {
            Some(Cursor::Before(_)) => {
                rows.reverse();
                (more_ahead, more_behind)
            }
            Some(Cursor::After(_)) => (more_behind, more_ahead),
            None => (false, more_ahead),
        };
        Page {
            before: rows.first().filter(|_| precede).map(&id_of),
            after: rows.last().filter(|_| follow).map(&id_of),
            items: rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<u32> {
        text.strip_prefix('#')?.parse().ok()
    }

    fn parse(query: PageQuery<'_>) -> Result<PageRequest<u32>, Vec<PageField>> {
        query.parse(read).map_err(|problems| problems.into_iter().map(|(field, _)| field).collect())
    }

    #[test]
    fn w14_without_parameters_ten_newest_first() {
        let expected = PageRequest { limit: 10, order: Order::Descending, cursor: None };
        assert_eq!(parse(PageQuery::default()), Ok(expected.clone()));
        let empty_cursors = PageQuery { after: Some(""), before: Some(""), ..PageQuery::default() };
        assert_eq!(parse(empty_cursors), Ok(expected));
    }

    #[test]
    fn w14_a_limit_is_an_integer_from_1_to_100() {
        for (text, limit) in [
            ("1", Some(1)),
            ("10", Some(10)),
            ("100", Some(100)),
            ("0", None),
            ("101", None),
            ("", None),
            ("-1", None),
            ("+5", None),
            (" 5", None),
            ("5.0", None),
            ("1e1", None),
            ("ten", None),
            ("\u{0661}", None),
            ("99999999999999999999999", None),
        ] {
            let result = parse(PageQuery { limit: Some(text), ..PageQuery::default() });
            assert_eq!(result.map(|request| request.limit), limit.ok_or(vec![PageField::Limit]), "{text}");
        }
    }

    #[test]
    fn w14_orders_are_desc_asc_and_normal() {
        for (text, order) in [
            ("desc", Some(Order::Descending)),
            ("normal", Some(Order::Descending)),
            ("asc", Some(Order::Ascending)),
            ("DESC", None),
            ("", None),
            ("created_at", None),
        ] {
            let result = parse(PageQuery { order: Some(text), ..PageQuery::default() });
            assert_eq!(result.map(|request| request.order), order.ok_or(vec![PageField::Order]), "{text}");
        }
    }

    #[test]
    fn w14_one_cursor_and_a_well_formed_one() {
        use PageField::{After, Before};
        for (after, before, expected) in [
            (Some("#7"), None, Ok(Some(Cursor::After(7)))),
            (None, Some("#7"), Ok(Some(Cursor::Before(7)))),
            (Some("#7"), Some(""), Ok(Some(Cursor::After(7)))),
            (Some(""), Some("#7"), Ok(Some(Cursor::Before(7)))),
            (Some("7"), None, Err(vec![After])),
            (None, Some("x"), Err(vec![Before])),
            (Some("#7"), Some("#8"), Err(vec![Before])),
            (Some("#7"), Some("#7"), Err(vec![Before])),
            (Some("x"), Some("#8"), Err(vec![After, Before])),
        ] {
            let result = parse(PageQuery { after, before, ..PageQuery::default() });
            assert_eq!(result.map(|request| request.cursor), expected, "{after:?} {before:?}");
        }
    }

    #[test]
    fn w14_everything_wrong_is_named_at_once() {
        let query = PageQuery { limit: Some("0"), order: Some("x"), after: Some("x"), before: None };
        let problems = query.parse(read).unwrap_err();
        let names: Vec<&str> = problems.iter().map(|(field, _)| field.name()).collect();
        assert_eq!(names, ["limit", "order", "after"]);
    }

    /// What a store does with a scan, over ids that are positions.
    fn fetch(list: &[u32], request: &PageRequest<u32>) -> Page<u32, u32> {
        let scan = request.scan();
        let beyond = |id: u32| match (scan.direction, scan.beyond) {
            (_, None) => true,
            (Order::Ascending, Some(at)) => id > *at,
            (Order::Descending, Some(at)) => id < *at,
        };
        let mut rows: Vec<u32> = list.iter().copied().filter(|id| beyond(*id)).collect();
        rows.sort_unstable();
        if scan.direction == Order::Descending {
            rows.reverse();
        }
        rows.truncate(scan.rows);
        let more_behind = list.iter().any(|id| !beyond(*id));
        request.page(rows, more_behind, |id| *id)
    }

    #[test]
    fn w14_pages_and_their_neighbours() {
        use Cursor::{After, Before};
        use Order::{Ascending, Descending};
        // 30 has been deleted since it was handed out as a cursor.
        let list = [10, 20, 40, 50];
        for (limit, order, cursor, items, before, after) in [
            (2, Descending, None, &[50, 40][..], None, Some(40)),
            (2, Descending, Some(After(40)), &[20, 10], Some(20), None),
            (2, Descending, Some(After(30)), &[20, 10], Some(20), None),
            (2, Descending, Some(Before(10)), &[40, 20], Some(40), Some(20)),
            (2, Descending, Some(Before(30)), &[50, 40], None, Some(40)),
            (2, Descending, Some(Before(20)), &[50, 40], None, Some(40)),
            (2, Ascending, None, &[10, 20], None, Some(20)),
            (2, Ascending, Some(After(10)), &[20, 40], Some(20), Some(40)),
            (2, Ascending, Some(After(30)), &[40, 50], Some(40), None),
            (2, Ascending, Some(Before(50)), &[20, 40], Some(20), Some(40)),
            (2, Ascending, Some(Before(30)), &[10, 20], None, Some(20)),
            (4, Ascending, None, &[10, 20, 40, 50], None, None),
            (3, Ascending, None, &[10, 20, 40], None, Some(40)),
            (2, Descending, Some(After(10)), &[], None, None),
            (2, Descending, Some(Before(50)), &[], None, None),
            (2, Ascending, Some(After(99)), &[], None, None),
        ] {
            let request = PageRequest { limit, order, cursor };
            let expected = Page { items: items.to_vec(), before, after };
            assert_eq!(fetch(&list, &request), expected, "{request:?}");
        }
        let request = PageRequest { limit: 10, order: Descending, cursor: None };
        assert_eq!(fetch(&[], &request), Page { items: vec![], before: None, after: None });
    }

    proptest! {
        #[test]
        fn any_parameters_are_read_or_refused(
            limit in any::<Option<String>>(), order in any::<Option<String>>(),
            after in any::<Option<String>>(), before in any::<Option<String>>(),
        ) {
            let query = PageQuery {
                limit: limit.as_deref(), order: order.as_deref(),
                after: after.as_deref(), before: before.as_deref(),
            };
            if let Ok(request) = query.parse(|text| Some(text.to_owned())) {
                prop_assert!(LIMITS.contains(&request.limit));
            }
        }

        /// W14: following `after` from the start, or `before` from the end, visits every entry once.
        #[test]
        fn following_the_cursors_visits_every_entry_once(
            list in proptest::collection::btree_set(0_u32..500, 0..60), limit in 1_usize..9, newest_first: bool,
        ) {
            let order = if newest_first { Order::Descending } else { Order::Ascending };
            let mut expected: Vec<u32> = list.into_iter().collect();
            if newest_first { expected.reverse(); }

            let mut forward: Vec<u32> = Vec::new();
            let mut cursor = None;
            loop {
                let page = fetch(&expected, &PageRequest { limit, order, cursor });
                prop_assert!(page.items.len() <= limit);
                prop_assert_eq!(page.before.is_some(), !forward.is_empty());
                forward.extend(&page.items);
                let Some(last) = page.after else { break };
                cursor = Some(Cursor::After(last));
            }
            prop_assert_eq!(&forward, &expected);

            let beyond_the_end = if newest_first { Cursor::After(0) } else { Cursor::After(500) };
            let Some(end) = expected.last().copied() else { return Ok(()) };
            let mut backward = vec![end];
            let mut cursor = Some(Cursor::Before(end));
            while let Some(at) = cursor {
                let page = fetch(&expected, &PageRequest { limit, order, cursor: Some(at) });
                backward.splice(0..0, page.items.iter().copied());
                cursor = page.before.map(Cursor::Before);
            }
            prop_assert_eq!(&backward, &expected);
            let past = fetch(&expected, &PageRequest { limit, order, cursor: Some(beyond_the_end) });
            prop_assert!(past.items.is_empty() && past.before.is_none() && past.after.is_none());
        }
    }
}
