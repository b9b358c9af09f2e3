"""W6: which refusal comes first when several are due."""

from datetime import timedelta

from dev import before
from api import expires
from errors import (
    NOT_JSON,
    SPENT,
    UNAUTHORIZED,
    exactly,
    expired,
    invalid,
    locked,
    no_challenge,
    no_factor,
    no_route,
    verified,
)
from phone import wrong_but

NO_CODE = invalid(("code", "code should not be empty"))
NOBODY = "/auth/challenges/nobody/verify"


def test_w6_each_check_hides_the_later_ones(wire):
    xml, huge, broken = {"content_type": "text/xml"}, b" " * 70_000, b"{"
    exactly(wire.post("/nothing", huge, key=None, **xml), no_route("POST", "/nothing"))
    exactly(wire.post(NOBODY, huge, key=None, **xml), UNAUTHORIZED)
    exactly(wire.post(NOBODY, broken, key=None), UNAUTHORIZED)
    assert wire.post(NOBODY, broken, **xml).status == 415
    assert wire.post(NOBODY, huge).status == 413
    exactly(wire.post(NOBODY, broken), NOT_JSON)
    exactly(wire.post(NOBODY, b"{}"), no_challenge("nobody"))
    exactly(wire.post(NOBODY, b"[]"), no_challenge("nobody"))
    exactly(wire.post("/auth/factors/nobody/challenge", {"sms_template": 7}), no_factor("nobody"))
    exactly(wire.post("/auth/factors/nobody/challenge", b"[1]"), no_factor("nobody"))


def test_w6_in_the_legacy_route_a_missing_id_is_first(wire):
    answer = wire.post("/auth/factors/verify", {})
    assert answer.status == 422
    assert answer.json["errors"][0]["field"] == "authentication_challenge_id"
    exactly(wire.post("/auth/factors/verify", {"authentication_challenge_id": "nobody"}), no_challenge("nobody"))


def test_w6_a_missing_code_hides_every_state_and_is_not_counted(api, now, dev):
    """F35."""
    factor = api.enroll("generic_otp")
    used, late, spent = api.challenge(factor), api.challenge(factor), api.challenge(factor)
    assert api.verify(used, used["code"])
    api.wrong(spent, wrong_but(spent["code"]), 5)
    for challenge in (used, late, spent):
        exactly(api.try_verify(challenge, ""), NO_CODE)
        exactly(api.try_verify(challenge, None), NO_CODE)
    dev.set(expires(late))
    exactly(api.try_verify(late, ""), NO_CODE)


def test_w6_verified_wins_over_expired_and_any_code(api, now, dev):
    challenge = api.challenge(api.enroll("generic_otp"))
    assert api.verify(challenge, challenge["code"])
    for code in (challenge["code"], next(wrong_but(challenge["code"])), " "):
        exactly(api.try_verify(challenge, code), verified(challenge["id"]))
    dev.set(expires(challenge) + timedelta(seconds=1))
    exactly(api.try_verify(challenge, challenge["code"]), verified(challenge["id"]))


def test_w6_expired_wins_over_spent(api, now, dev):
    challenge = api.challenge(api.enroll("generic_otp"))
    api.wrong(challenge, wrong_but(challenge["code"]), 5)
    dev.set(before(expires(challenge)))
    exactly(api.try_verify(challenge, challenge["code"]), SPENT)
    dev.set(expires(challenge))
    exactly(api.try_verify(challenge, challenge["code"]), expired(challenge["id"]))


def test_w6_what_is_final_for_the_challenge_wins_over_the_lock(api, now, dev):
    factor = api.enroll("generic_otp")
    used, late, fresh = (api.challenge(factor) for _ in range(3))
    assert api.verify(used, used["code"])
    spent = [api.challenge(factor) for _ in range(2)]
    for challenge in spent:
        api.wrong(challenge, wrong_but(challenge["code"]), 5)
    exactly(api.try_verify(used, used["code"]), verified(used["id"]))
    exactly(api.try_verify(spent[0], spent[0]["code"]), SPENT)
    exactly(api.try_verify(fresh, fresh["code"]), locked(30))
    exactly(api.try_verify(fresh, "wrong"), locked(30))
    dev.set(expires(late))
    exactly(api.try_verify(late, late["code"]), expired(late["id"]))


def test_w6_a_refusal_by_the_lock_is_not_counted(api, now, dev):
    factor = api.enroll("generic_otp")
    api.lock(factor)
    challenge = api.challenge(factor)
    for _ in range(8):
        exactly(api.try_verify(challenge, next(wrong_but(challenge["code"]))), locked(30))
    dev.advance(30)
    api.wrong(challenge, wrong_but(challenge["code"]), 1)
    dev.advance(60)
    api.wrong(challenge, wrong_but(challenge["code"]), 1)
    dev.advance(120)
    assert api.verify(challenge, challenge["code"]) is True
