"""W8: lifetime, attempts, several at once, deletion."""

from datetime import timedelta

from api import created, expires
from dev import before
from errors import SPENT, exactly, expired, no_challenge, no_factor, verified
from phone import wrong_but


def test_w8_a_challenge_lives_600_seconds(api, dev, number):
    for type, fields in [("totp", {}), ("sms", {"phone_number": number}), ("generic_otp", {})]:
        challenge = api.challenge(api.enroll(type, **fields))
        assert expires(challenge) - created(challenge) == timedelta(seconds=600)


def test_w8_it_is_live_until_the_millisecond_before_it_expires(api, now, dev):
    in_time, late = (api.challenge(api.enroll("generic_otp")) for _ in range(2))
    dev.set(before(expires(in_time)))
    assert api.verify(in_time, in_time["code"]) is True
    dev.set(expires(late))
    exactly(api.try_verify(late, late["code"]), expired(late["id"]))


def test_w8_five_attempts_then_400_the_right_code_included(api):
    challenge = api.challenge(api.enroll("generic_otp"))
    api.wrong(challenge, wrong_but(challenge["code"]), 5)
    for _ in range(3):
        exactly(api.try_verify(challenge, challenge["code"]), SPENT)


def test_w8_the_fifth_attempt_may_be_the_right_one(api):
    challenge = api.challenge(api.enroll("generic_otp"))
    api.wrong(challenge, wrong_but(challenge["code"]), 4)
    assert api.verify(challenge, challenge["code"]) is True


def test_w8_every_challenge_has_a_code_of_its_own(api):
    factor = api.enroll("generic_otp")
    first, second = api.challenge(factor), api.challenge(factor)
    while second["code"] == first["code"]:
        second = api.challenge(factor)
    assert api.verify(first, second["code"]) is False
    assert api.verify(first, first["code"]) is True
    assert api.verify(second, second["code"]) is True


def test_w8_the_eleventh_open_challenge_displaces_the_oldest(api, now):
    factor = api.enroll("generic_otp")
    eleven = [api.challenge(factor) for _ in range(11)]
    exactly(api.try_verify(eleven[0], eleven[0]["code"]), expired(eleven[0]["id"]))
    for challenge in eleven[1:]:
        assert api.verify(challenge, challenge["code"]) is True


def test_w8_a_verified_challenge_is_not_open(api):
    factor = api.enroll("generic_otp")
    ten = [api.challenge(factor) for _ in range(10)]
    assert api.verify(ten[4], ten[4]["code"]) is True
    ten.append(api.challenge(factor))
    for challenge in ten[:4] + ten[5:]:
        assert api.verify(challenge, challenge["code"]) is True


def test_w8_an_expired_challenge_is_not_open(api, now, dev):
    factor = api.enroll("generic_otp")
    early = api.challenge(factor)
    dev.advance(1)
    nine = [api.challenge(factor) for _ in range(9)]
    dev.set(expires(early))
    nine.append(api.challenge(factor))
    for challenge in nine:
        assert api.verify(challenge, challenge["code"]) is True


def test_w8_deletion_is_final_and_takes_the_challenges_along(wire, api):
    factor = api.enroll("generic_otp", user_id="w8")
    open_one, used = api.challenge(factor), api.challenge(factor)
    assert api.verify(used, used["code"])
    api.delete(factor)
    for challenge in (open_one, used):
        exactly(api.try_verify(challenge, challenge["code"]), no_challenge(challenge["id"]))
    for answer in (
        wire.get(f"/auth/factors/{factor['id']}"),
        wire.delete(f"/auth/factors/{factor['id']}"),
        api.try_challenge(factor),
    ):
        exactly(answer, no_factor(factor["id"]))
    assert factor["id"] not in [listed["id"] for listed in api.list("w8")["data"]]


def test_w8_a_finished_challenge_keeps_its_422_for_a_day(api, now, dev):
    factor = api.enroll("generic_otp")
    used, late = api.challenge(factor), api.challenge(factor)
    assert api.verify(used, used["code"])
    dev.set(expires(used) + timedelta(hours=23, minutes=59))
    exactly(api.try_verify(used, used["code"]), verified(used["id"]))
    exactly(api.try_verify(late, late["code"]), expired(late["id"]))
