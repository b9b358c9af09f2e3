//! What each route is called and how it can end.

use crate::routes::Endpoint;

/// A route in words.
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    /// The schema of its body, and whether there must be one.
    pub(super) request: Option<(&'static str, bool)>,
    /// Whether it takes the parameters of a list.
    pub(super) pages: bool,
    pub(super) status: u16,
    pub(super) outcome: &'static str,
    /// The schema of what it answers; `None` for nothing.
    pub(super) answer: Option<&'static str>,
    /// Codes of its own, beside those that every route has.
    own: &'static [(u16, &'static str)],
}

/// Codes of every route.
const ALWAYS: [(u16, &str); 6] = [
    (401, "unauthorized"),
    (403, "forbidden"),
    (422, "invalid_request_parameters"),
    (429, "rate_limit_exceeded"),
    (500, "internal_error"),
    (503, "service_unavailable"),
];
/// Codes of every route that reads a body.
const WITH_BODY: [(u16, &str); 4] = [
    (400, "bad_request"),
    (408, "request_timeout"),
    (413, "payload_too_large"),
    (415, "unsupported_media_type"),
];

impl Operation {
    /// The statuses of refusals in rising order, each with its codes.
    pub(super) fn refusals(&self) -> Vec<(u16, Vec<&'static str>)> {
        let body: &[(u16, &str)] = if self.request.is_some() { &WITH_BODY } else { &[] };
        let mut all: Vec<(u16, &'static str)> = [&ALWAYS, body, self.own].concat();
        all.sort_by_key(|(status, _)| *status);
        let mut grouped: Vec<(u16, Vec<&'static str>)> = Vec::new();
        for (status, code) in all {
            match grouped.last_mut() {
                Some((last, codes)) if *last == status => codes.push(code),
                _ => grouped.push((status, vec![code])),
            }
        }
        grouped
    }
}

const NOT_FOUND: (u16, &str) = (404, "entity_not_found");
const OPENING: &[(u16, &str)] = &[
    NOT_FOUND,
    (422, "invalid_phone_number"),
    (429, "sms_challenge_rate_limited"),
    (429, "sms_challenge_quota_reached"),
    (503, "sms_delivery_failed"),
];
const VERIFYING: &[(u16, &str)] = &[
    NOT_FOUND,
    (400, "one_time_code_too_many_attempts"),
    (422, "authentication_challenge_previously_verified"),
    (422, "authentication_challenge_expired"),
    (429, "too_many_failed_verification_attempts"),
];

const OPEN: Operation = Operation {
    id: "challengeFactor",
    tag: "Challenges",
    summary: "Challenge a factor",
    description: "Opens a challenge. For `sms` the code is sent by text message, for `generic_otp` it is in the answer, \
        for `totp` the user's app shows it.",
    request: Some(("ChallengeFactorRequest", false)),
    pages: false,
    status: 201,
    outcome: "The challenge.",
    answer: Some("AuthenticationChallenge"),
    own: OPENING,
};
const VERIFY: Operation = Operation {
    id: "verifyChallenge",
    tag: "Challenges",
    summary: "Verify a code",
    description: "Judges a code. Right or wrong, the answer is 201: `valid` says which. A challenge takes five attempts.",
    request: Some(("VerifyChallengeRequest", true)),
    pages: false,
    status: 201,
    outcome: "The verdict.",
    answer: Some("VerifyAnswer"),
    own: VERIFYING,
};
const ENROLL: Operation = Operation {
    id: "enrollFactor",
    tag: "Factors",
    summary: "Enroll a factor",
    description: "Enrolls a factor. For `totp` the answer shows its secret, this once.",
    request: Some(("EnrollFactorRequest", true)),
    pages: false,
    status: 201,
    outcome: "The factor, with its secrets if it is a totp one.",
    answer: Some("AuthenticationFactor"),
    own: &[(422, "invalid_phone_number"), (422, "factor_limit_reached")],
};

/// A route in words.
pub(super) fn operation(endpoint: Endpoint) -> Operation {
    match endpoint {
        Endpoint::EnrollFactor => ENROLL,
        Endpoint::OpenChallenge => OPEN,
        Endpoint::VerifyChallenge => VERIFY,
        Endpoint::FindFactor => Operation {
            id: "getFactor",
            summary: "Get a factor",
            description: "Reads a factor. Its secrets are never shown again.",
            request: None,
            status: 200,
            outcome: "The factor, without secrets.",
            own: &[NOT_FOUND],
            ..ENROLL
        },
        Endpoint::DeleteFactor => Operation {
            id: "deleteFactor",
            summary: "Delete a factor",
            description: "Deletes a factor and its challenges for good. A body is not read.",
            request: None,
            status: 204,
            outcome: "It is gone.",
            answer: None,
            own: &[NOT_FOUND],
            ..ENROLL
        },
        Endpoint::EnrollUserFactor => Operation {
            id: "enrollUserFactor",
            summary: "Enroll an authenticator app for a user",
            description: "Enrolls a totp factor and opens its first challenge at once. A secret can be imported.",
            request: Some(("EnrollUserFactorRequest", true)),
            outcome: "The factor with its secrets, and its first challenge.",
            answer: Some("UserEnrollment"),
            own: &[(422, "factor_limit_reached")],
            ..ENROLL
        },
        Endpoint::ListUserFactors => Operation {
            id: "listUserFactors",
            summary: "List a user's factors",
            description: "Lists the factors with this user id, of every type. An unknown user has none.",
            request: None,
            pages: true,
            status: 200,
            outcome: "A page of factors, without secrets.",
            answer: Some("FactorList"),
            own: &[],
            ..ENROLL
        },
        Endpoint::FindChallenge => Operation {
            id: "getChallengeTimeline",
            tag: "Challenges",
            summary: "See what happened to a challenge",
            description: "Reads a challenge with its messages and everything that happened, each with a reason in plain \
                words: for whoever helps a user. It holds no code, no secret and no phone number. It is there for a day \
                after the challenge's end.",
            request: None,
            status: 200,
            outcome: "The challenge, its messages and its timeline.",
            answer: Some("ChallengeTimeline"),
            own: &[NOT_FOUND],
            ..OPEN
        },
        Endpoint::OpenChallengeLegacy => Operation {
            id: "challengeFactorLegacy",
            summary: "Challenge a factor (old form)",
            request: Some(("LegacyChallengeFactorRequest", true)),
            ..OPEN
        },
        Endpoint::VerifyChallengeLegacy => Operation {
            id: "verifyChallengeLegacy",
            summary: "Verify a code (old form)",
            request: Some(("LegacyVerifyChallengeRequest", true)),
            ..VERIFY
        },
    }
}
