//! The audit trail: entries in a row, each bound to the one before by a keyed digest.
//!
//! Whoever edits, deletes or moves an entry without the audit key breaks the chain at that place (ASVS 16.4.2). The
//! engine writes the entries of a whole batch just before its commit, where their order is known, and with them where
//! the chain ends now: otherwise entries cut off the end would not be missed.

mod chain;
mod end;

pub(crate) use chain::Chain;
pub use end::{ChainEnd, EndRow};
pub(crate) use end::{ToldRow, chain_end, end_to_append_to, last_entry};

use crate::{Failure, Reads, columns::Param, statements::EVENTS_FROM, step::Query};
use domain::{
    event::{Actor, DetailValue, Event},
    id::EventId,
    time::Timestamp,
};
use end::{Told, told_end};
use secrets::KeyRing;
use std::fmt::Write as _;

/// The columns of an entry but its number and mac.
pub struct Entry {
    at: i64,
    environment: Option<[u8; 16]>,
    kind: String,
    actor: String,
    factor: Option<[u8; 16]>,
    challenge: Option<[u8; 16]>,
    user: Option<String>,
    detail: Option<String>,
}

/// The actor's text form.
fn actor_text(actor: &Actor) -> String {
    match actor {
        Actor::ApiKey(id) => id.to_string(),
        Actor::Operator(name) => format!("operator:{name}"),
        Actor::Server => "server".into(),
    }
}

/// The detail as one JSON object, or nothing if there is none. Control characters are escaped, so that an entry is
/// always one line wherever it is printed.
fn detail_json(detail: &[(&'static str, DetailValue)]) -> Option<String> {
    let mut out = String::new();
    for (name, value) in detail {
        out.push(if out.is_empty() { '{' } else { ',' });
        push_json_string(&mut out, name);
        out.push(':');
        match value {
            DetailValue::Number(n) => drop(write!(out, "{n}")),
            DetailValue::Time(at) => drop(write!(out, "\"{at}\"")),
            DetailValue::Text(text) => push_json_string(&mut out, text),
        }
    }
    (!out.is_empty()).then(|| out + "}")
}

fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

impl Entry {
    /// The columns of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self {
            at: event.at.millis(),
            environment: event.environment.map(|id| *id.bytes()),
            kind: event.kind.name().into(),
            actor: actor_text(&event.actor),
            factor: event.factor.map(|id| *id.bytes()),
            challenge: event.challenge.map(|id| *id.bytes()),
            user: event.user.as_ref().map(|u| u.as_str().to_owned()),
            detail: detail_json(&event.kind.detail()),
        }
    }

    /// The entry's place in the chain after `end`.
    #[must_use]
    pub fn link(&self, ring: &KeyRing, end: &ChainEnd) -> ChainEnd {
        let seq = end.seq + 1;
        fn bytes(part: Option<&[u8]>) -> &[u8] {
            part.unwrap_or_default()
        }
        let mac = ring.audit_mac(
            &end.mac,
            &[
                &seq.to_be_bytes(),
                &self.at.to_be_bytes(),
                bytes(self.environment.as_ref().map(|b| b.as_slice())),
                self.kind.as_bytes(),
                self.actor.as_bytes(),
                bytes(self.factor.as_ref().map(|b| b.as_slice())),
                bytes(self.challenge.as_ref().map(|b| b.as_slice())),
                bytes(self.user.as_deref().map(str::as_bytes)),
                bytes(self.detail.as_deref().map(str::as_bytes)),
            ],
        );
        ChainEnd { seq, mac }
    }

    /// The parameters of `APPEND_EVENT`.
    #[must_use]
    pub fn params<'a>(&'a self, at: &'a ChainEnd) -> [Param<'a>; 10] {
        [
            Param::Int(at.seq),
            Param::Int(self.at),
            Param::MaybeBytes(self.environment.as_ref().map(|b| b.as_slice())),
            Param::Text(&self.kind),
            Param::Text(&self.actor),
            Param::MaybeBytes(self.factor.as_ref().map(|b| b.as_slice())),
            Param::MaybeBytes(self.challenge.as_ref().map(|b| b.as_slice())),
            Param::MaybeText(self.user.as_deref()),
            Param::MaybeText(self.detail.as_deref()),
            Param::Bytes(&at.mac),
        ]
    }
}

/// An entry as it is shown.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its number in the trail, from 1.
    pub seq: i64,
    /// Its id: the time and the first bytes of its mac, so it needs no column and never changes.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// In which environment.
    pub environment: Option<[u8; 16]>,
    /// What.
    pub kind: String,
    /// By whom.
    pub actor: String,
    /// To which factor.
    pub factor: Option<[u8; 16]>,
    /// On which challenge.
    pub challenge: Option<[u8; 16]>,
    /// For which user.
    pub user: Option<String>,
    /// The rest, as JSON.
    pub detail: Option<String>,
}

type Row = (
    i64,
    i64,
    Option<[u8; 16]>,
    String,
    String,
    Option<[u8; 16]>,
    Option<[u8; 16]>,
    Option<String>,
    Option<String>,
    [u8; 32],
);

/// The entry of a row, and its place in the chain.
fn entry_of(row: Row) -> (Entry, ChainEnd) {
    let (seq, at, environment, kind, actor, factor, challenge, user, detail, mac) = row;
    (Entry { at, environment, kind, actor, factor, challenge, user, detail }, ChainEnd { seq, mac })
}

fn event_id(at: i64, mac: &[u8; 32]) -> EventId {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&at.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&mac[..10]);
    EventId::from_bytes(bytes)
}

/// A page of the trail, checked link by link against the end of the page before.
pub struct ReadTrail {
    /// The end of what was read before; the default to begin with.
    pub after: ChainEnd,
    /// At most how many.
    pub limit: u32,
    /// The key of the chain.
    pub ring: KeyRing,
}

/// What a page of the trail holds.
pub struct TrailPage {
    /// The entries whose links hold.
    pub entries: Vec<Recorded>,
    /// The end of the chain after them.
    pub end: ChainEnd,
    /// The number at which the chain is broken, if it is.
    pub broken_at: Option<i64>,
}

impl Query for ReadTrail {
    type Out = TrailPage;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<TrailPage, Failure> {
        let params = [Param::Int(self.after.seq + 1), Param::Int(i64::from(self.limit))];
        let mut page = TrailPage { entries: Vec::new(), end: self.after, broken_at: None };
        let rows = reads.many::<Row>(&EVENTS_FROM, &params).await?;
        let is_last = rows.len() < self.limit as usize;
        for row in rows {
            let (entry, ChainEnd { seq, mac }) = entry_of(row);
            let link = entry.link(&self.ring, &page.end);
            if link != (ChainEnd { seq, mac }) {
                page.broken_at = Some(page.end.seq + 1);
                break;
            }
            page.end = link;
            let Entry { at, environment, kind, actor, factor, challenge, user, detail } = entry;
            let at = Timestamp::from_millis(at);
            let id = event_id(at.millis(), &mac);
            page.entries.push(Recorded {
                seq,
                id,
                at,
                environment,
                kind,
                actor,
                factor,
                challenge,
                user,
                detail,
            });
        }
        // The last page, on the same snapshot: nothing may be missing after it.
        if is_last && page.broken_at.is_none() && told_end(reads, &self.ring).await? != Told::Ends(page.end) {
            page.broken_at = Some(page.end.seq + 1);
        }
        Ok(page)
    }
}
