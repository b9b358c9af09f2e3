//! Noting what a provider reports of a message: in any order, also while its dispatch is not settled yet, and once.

use super::receipts_of;
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{DELIVERY_REPORTED, MESSAGE_REPORTED, NOTE_RECEIPT},
    step::change_one,
};
use domain::{
    id::DeliveryId,
    receipt::{Receipt, Stage},
    time::Timestamp,
};

/// About which message a report is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Ours, by the id that we gave the provider along.
    Ours(DeliveryId),
    /// By the provider's own id. It is known once the dispatch is settled.
    Theirs(String),
}

/// The step.
#[derive(Clone, Debug)]
pub struct NoteReceipt {
    /// The present time.
    pub now: Timestamp,
    /// Who reports, by its name in the configuration.
    pub provider: String,
    /// About which message.
    pub about: About,
    /// The message's id there, if it was said.
    pub message_id: Option<String>,
    /// How far it has come.
    pub stage: Stage,
    /// Why, in words of ours.
    pub reason: String,
}

/// What came of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is new.
    New(DeliveryId),
    /// It was known.
    Repeated,
    /// There is no such message of this provider; or not yet.
    Unknown,
}

impl Step for NoteReceipt {
    type Out = Noted;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Noted, Failure> {
        type Row = ([u8; 16], [u8; 16], Option<String>, Option<String>);
        let id = match &self.about {
            About::Ours(id) => *id.bytes(),
            About::Theirs(message) => {
                let params = [Param::Text(&self.provider), Param::Text(message)];
                match tx.one::<([u8; 16],)>(&MESSAGE_REPORTED, &params).await? {
                    Some((id,)) => id,
                    None => return Ok(Noted::Unknown),
                }
            }
        };
        let Some((id, environment, provider, receipts)) =
            tx.one::<Row>(&DELIVERY_REPORTED, &[Param::Bytes(&id)]).await?
        else {
            return Ok(Noted::Unknown);
        };
        // Nobody reports of what another provider has. One that was not settled yet may be anybody's.
        if provider.is_some_and(|provider| provider != self.provider) {
            return Ok(Noted::Unknown);
        }
        let mut receipts = receipts_of(receipts.as_deref())?;
        let receipt = Receipt { at: self.now, stage: self.stage, reason: self.reason.clone() };
        if !receipts.note(receipt) {
            return Ok(Noted::Repeated);
        }
        let text = receipts.to_text();
        let noted = [
            Param::Bytes(&id),
            Param::Bytes(&environment),
            Param::MaybeText(text.as_deref()),
            Param::Text(&self.provider),
            Param::MaybeText(self.message_id.as_deref()),
        ];
        change_one(tx, &NOTE_RECEIPT, &noted).await?;
        Ok(Noted::New(DeliveryId::from_bytes(id)))
    }
}
