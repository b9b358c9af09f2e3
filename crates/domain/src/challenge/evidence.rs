//! What must not compile (F28). Each snippet that fails stands beside a twin that differs in one expression and
//! compiles, so that it fails for its own reason: a name that has moved breaks the twin too.

/// An [`Accepted`](super::Accepted) comes out of a comparison, and is made nowhere else.
///
/// ```
/// use countersign_domain::challenge::{Accepted, Verdict};
///
/// fn f28_an_accepted_is_taken_from_a_verdict(verdict: Verdict) -> Option<Accepted> {
///     match verdict {
///         Verdict::Right(accepted) => Some(accepted),
///         Verdict::Wrong(_) => None,
///     }
/// }
/// ```
///
/// ```compile_fail
/// use countersign_domain::challenge::{Accepted, Verdict};
///
/// fn f28_an_accepted_cannot_be_made(verdict: Verdict) -> Option<Accepted> {
///     match verdict {
///         Verdict::Right(accepted) => Some(accepted),
///         Verdict::Wrong(_) => Some(Accepted { step: None }),
///     }
/// }
/// ```
///
/// ```compile_fail
/// use countersign_domain::challenge::{Accepted, Verdict};
///
/// fn f28_an_accepted_has_no_default(verdict: Verdict) -> Option<Accepted> {
///     match verdict {
///         Verdict::Right(accepted) => Some(accepted),
///         Verdict::Wrong(_) => Some(Default::default()),
///     }
/// }
/// ```
struct NotMade;

/// One comparison gives one [`Accepted`](super::Accepted): it cannot be used twice, nor changed.
///
/// ```
/// use countersign_domain::challenge::Accepted;
///
/// fn f28_an_accepted_is_moved(accepted: Accepted) -> (Accepted, Option<u64>) {
///     let step = accepted.step();
///     (accepted, step)
/// }
/// ```
///
/// ```compile_fail
/// use countersign_domain::challenge::Accepted;
///
/// fn f28_an_accepted_is_not_copied(accepted: Accepted) -> (Accepted, Accepted) {
///     let step = accepted.clone();
///     (accepted, step)
/// }
/// ```
///
/// ```compile_fail
/// use countersign_domain::challenge::Accepted;
///
/// fn f28_the_step_of_an_accepted_is_not_written(mut accepted: Accepted) -> (Accepted, Option<u64>) {
///     let step = accepted.step.take();
///     (accepted, step)
/// }
/// ```
struct NotCopied;

/// A verdict that nobody reads does not compile in this workspace, where `unused_must_use` is denied; nor does the
/// state that carries one, nor an answer whose refusal nobody looks at.
///
/// ```
/// #![deny(unused_must_use)]
/// use countersign_domain::{challenge::{Answered, Verdict}, refusal::Refusal};
///
/// fn verdict() -> Verdict { todo!() }
/// fn answered() -> Answered { todo!() }
/// fn answer() -> Result<Answered, Refusal> { todo!() }
///
/// fn f28_verdicts_are_read() -> Result<bool, Refusal> {
///     let verdict = verdict();
///     let answered = answered();
///     let answer = answer()?;
///     Ok([verdict, answered.verdict, answer.verdict].iter().all(|v| matches!(v, Verdict::Right(_))))
/// }
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// use countersign_domain::{challenge::{Answered, Verdict}, refusal::Refusal};
///
/// fn verdict() -> Verdict { todo!() }
///
/// fn f28_a_verdict_is_not_ignored() -> Result<bool, Refusal> {
///     verdict();
///     Ok(true)
/// }
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// use countersign_domain::{challenge::{Answered, Verdict}, refusal::Refusal};
///
/// fn answered() -> Answered { todo!() }
///
/// fn f28_the_state_after_an_attempt_is_not_ignored() -> Result<bool, Refusal> {
///     answered();
///     Ok(true)
/// }
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// use countersign_domain::{challenge::{Answered, Verdict}, refusal::Refusal};
///
/// fn answer() -> Result<Answered, Refusal> { todo!() }
///
/// fn f28_a_refusal_is_not_ignored() -> Result<bool, Refusal> {
///     answer();
///     Ok(true)
/// }
/// ```
struct NotIgnored;
