//! Factors as they are shown.

use crate::{
    Failure, Query, Reads,
    columns::Param,
    statements::{FIND_FACTOR, LIST_FACTORS_AFTER, LIST_FACTORS_BEFORE},
    steps::{factor_binding, kind_of, user_of},
};
use domain::{
    budget::Budget,
    environment::Scope,
    factor::{Details, Factor, FactorKind},
    id::FactorId,
    label::TotpLabel,
    page::{Cursor, Order, Page, PageRequest},
    phone::PhoneNumber,
    time::Timestamp,
    user_id::UserId,
};
use secrets::KeyRing;

type Row = (
    [u8; 16],
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    Option<Vec<u8>>,
    Option<i64>,
    u32,
    Option<i64>,
);

fn factor_of(row: Row, scope: Scope, ring: &KeyRing) -> Result<Factor, Failure> {
    let (id, user, kind, issuer, label_user, sealed, verified_at, wrong_in_a_row, locked_until) = row;
    let missing = || Failure::internal("a stored factor lacks what its type needs");
    let details = match kind_of(&kind)? {
        FactorKind::GenericOtp => Details::GenericOtp,
        FactorKind::Totp => Details::Totp(TotpLabel {
            issuer: issuer.ok_or_else(missing)?,
            user: label_user.ok_or_else(missing)?,
        }),
        FactorKind::Sms => {
            let sealed = sealed.ok_or_else(missing)?;
            let plain = ring.open_sealed(&factor_binding(scope.environment().bytes(), &id), &sealed)?;
            let number = String::from_utf8(plain.to_vec()).ok().and_then(PhoneNumber::from_e164_trusted);
            Details::Sms(number.ok_or_else(missing)?)
        }
    };
    Ok(Factor {
        id: FactorId::from_bytes(id),
        user: user_of(user)?,
        details,
        verified_at: verified_at.map(Timestamp::from_millis),
        budget: Budget { wrong_in_a_row, locked_until: locked_until.map(Timestamp::from_millis) },
    })
}

/// Finds one.
pub struct FindFactor {
    /// In which environment.
    pub scope: Scope,
    /// Which.
    pub factor: FactorId,
    /// Opens numbers.
    pub ring: KeyRing,
}

impl Query for FindFactor {
    type Out = Option<Factor>;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Option<Factor>, Failure> {
        let environment = self.scope.environment();
        let params = [Param::Bytes(self.factor.bytes()), Param::Bytes(environment.bytes())];
        let row = reads.one::<Row>(&FIND_FACTOR, &params).await?;
        row.map(|row| factor_of(row, self.scope, &self.ring)).transpose()
    }
}

/// Lists the factors of a user, a page at a time.
pub struct ListFactors {
    /// In which environment.
    pub scope: Scope,
    /// Whose.
    pub user: UserId,
    /// Which page.
    pub page: PageRequest<FactorId>,
    /// `list_verified_only`.
    pub verified_only: bool,
    /// Opens numbers.
    pub ring: KeyRing,
}

impl ListFactors {
    async fn scan<R: Reads>(
        &self,
        reads: &mut R,
        direction: Order,
        beyond: [u8; 16],
        rows: usize,
    ) -> Result<Vec<Row>, Failure> {
        let environment = self.scope.environment();
        let statement = match direction {
            Order::Ascending => &LIST_FACTORS_AFTER,
            Order::Descending => &LIST_FACTORS_BEFORE,
        };
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let params = [
            Param::Bytes(environment.bytes()),
            Param::Text(self.user.as_str()),
            Param::Bytes(&beyond),
            Param::Int(i64::from(self.verified_only)),
            Param::Int(rows),
        ];
        reads.many::<Row>(statement, &params).await
    }
}

/// One id further, towards the larger or the smaller ones, so that a scan that excludes its start includes this one.
fn neighbour(id: [u8; 16], direction: Order) -> [u8; 16] {
    let n = u128::from_be_bytes(id);
    match direction {
        Order::Ascending => n.saturating_sub(1),
        Order::Descending => n.saturating_add(1),
    }
    .to_be_bytes()
}

impl Query for ListFactors {
    type Out = Page<Factor, FactorId>;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Self::Out, Failure> {
        let scan = self.page.scan();
        let edge = match scan.direction {
            Order::Ascending => [0; 16],
            Order::Descending => [0xff; 16],
        };
        let beyond = scan.beyond.map_or(edge, |id| *id.bytes());
        let rows = self.scan(reads, scan.direction, beyond, scan.rows).await?;
        // On the other side of the cursor, the cursor's own place included: it is not on this page.
        let behind = scan.direction.reversed();
        let more_behind = match self.page.cursor.as_ref().map(Cursor::id) {
            None => false,
            Some(id) => !self.scan(reads, behind, neighbour(*id.bytes(), behind), 1).await?.is_empty(),
        };
        let factors = rows.into_iter().map(|row| factor_of(row, self.scope, &self.ring));
        let factors = factors.collect::<Result<Vec<_>, _>>()?;
        Ok(self.page.page(factors, more_behind, |factor| factor.id))
    }
}
