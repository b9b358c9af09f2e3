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
