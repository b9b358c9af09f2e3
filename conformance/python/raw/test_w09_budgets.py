"""W9, I3 and I4: wrong attempts lock a factor, then stop it; those of a user's factors add up."""

from datetime import timedelta

from api import Api
from dev import before
from errors import STOPPED, exactly, locked
from phone import totp, wrong_but

DAY = 86_400


def test_w9_from_the_10th_wrong_attempt_on_locks_double_and_the_100th_stops(api, now, dev):
    """The whole way, by the clock: 84 hours of it."""
    factor = api.enroll("generic_otp")
    api.lock(factor)
    moment, lock = now, 30
    for attempt in range(11, 101):
        challenge = api.challenge(factor)
        exactly(api.try_verify(challenge, challenge["code"]), locked(lock))
        moment += timedelta(seconds=lock)
        if attempt < 20:
            dev.set(before(moment))
            challenge = api.challenge(factor)
            exactly(api.try_verify(challenge, challenge["code"]), locked(1))
        dev.set(moment)
        challenge = api.challenge(factor)
        api.wrong(challenge, wrong_but(challenge["code"]), 1)
        lock = min(lock * 2, 3_600)
    assert moment - now > timedelta(hours=84)
    exactly(api.try_verify(challenge, challenge["code"]), STOPPED)
    dev.advance(400 * DAY)
    challenge = api.challenge(factor)
    exactly(api.try_verify(challenge, challenge["code"]), STOPPED)


def test_w9_retry_after_is_whole_seconds_rounded_up(api, now, dev):
    factor = api.enroll("generic_otp")
    api.lock(factor)
    challenge = api.challenge(factor)
    for milliseconds, seconds in [(1, 30), (999, 30), (1_000, 29), (1_001, 29), (29_000, 1), (29_999, 1)]:
        dev.set(now + timedelta(milliseconds=milliseconds))
        exactly(api.try_verify(challenge, challenge["code"]), locked(seconds))
    dev.set(now + timedelta(seconds=30))
    assert api.verify(challenge, challenge["code"]) is True


def test_w9_a_lock_is_the_factors_own(api, now):
    locked_one, other = api.enroll("generic_otp"), api.enroll("generic_otp")
    api.lock(locked_one)
    challenge = api.challenge(other)
    assert api.verify(challenge, challenge["code"]) is True


def test_w8_a_locked_totp_factor_can_be_challenged_and_verify_says_429(api, now):
    factor = api.enroll("totp")
    api.lock(factor)
    exactly(api.try_verify(api.challenge(factor), totp(factor["totp"]["secret"], now)), locked(30))


def test_w8_a_locked_sms_factor_is_sent_nothing(api, now, dev, number):
    factor = api.enroll("sms", phone_number=number)
    for _ in range(2):
        challenge = api.challenge(factor)
        api.wrong(challenge, iter(["wrong"] * 5), 5)
    answer = api.try_challenge(factor)
    assert (answer.status, answer.json["code"], answer.json["retry_after"]) == (429, "sms_challenge_rate_limited", 30)
    assert len(dev.messages(to=number)) == 2
    dev.advance(30)
    assert api.try_challenge(factor).status == 201


class User:
    """Some factors of one user, and 20 wrong attempts spread over them without locking one."""

    def __init__(self, api: Api, dev, user_id, number):
        self.api, self.dev = api, dev
        self.factors = [api.enroll("generic_otp", user_id=user_id) for _ in range(3)]
        self.sms = api.enroll("sms", user_id=user_id, phone_number=number)

    def spend_20(self):
        for factor, parts in zip(self.factors, ((5, 4), (5, 4), (2,))):
            for times in parts:
                challenge = self.api.challenge(factor)
                self.api.wrong(challenge, wrong_but(challenge["code"]), times)

    def all_say(self, expected):
        for factor in self.factors:
            challenge = self.api.challenge(factor)
            exactly(self.api.try_verify(challenge, challenge["code"]), expected)


def test_i4_twenty_wrong_attempts_in_a_day_lock_all_factors_of_the_user(api, now, dev, number):
    user = User(api, dev, f"i4-{number}", number)
    user.spend_20()
    user.all_say(locked(DAY))
    enrolled_anew = api.enroll("generic_otp", user_id=f"i4-{number}")
    challenge = api.challenge(enrolled_anew)
    exactly(api.try_verify(challenge, challenge["code"]), locked(DAY))
    api.delete(user.factors[0])
    exactly(api.try_verify(challenge, challenge["code"]), locked(DAY))

    refused = api.try_challenge(user.sms)
    assert (refused.status, refused.json["code"]) == (429, "sms_challenge_rate_limited")
    assert refused.json["retry_after"] == DAY
    assert dev.messages(to=number) == []

    stranger = api.challenge(api.enroll("generic_otp", user_id=f"other-{number}"))
    assert api.verify(stranger, stranger["code"]) is True
    lone = api.challenge(api.enroll("generic_otp"))
    assert api.verify(lone, lone["code"]) is True


def test_i4_the_window_moves_on_to_the_millisecond(api, now, dev, number):
    user = User(api, dev, f"i4-{number}", number)
    user.spend_20()
    dev.set(before(now + timedelta(days=1)))
    user.all_say(locked(1))
    dev.set(now + timedelta(days=1))
    challenge = api.challenge(user.factors[0])
    assert api.verify(challenge, challenge["code"]) is True


def test_i4_true_does_not_refill_the_users_budget(api, now, dev, number):
    user = User(api, dev, f"i4-{number}", number)
    factor = user.factors[0]
    for times in (4, 4, 4, 4):
        challenge = api.challenge(factor)
        api.wrong(challenge, wrong_but(challenge["code"]), times)
        assert api.verify(challenge, challenge["code"]) is True
    challenge = api.challenge(factor)
    api.wrong(challenge, wrong_but(challenge["code"]), 4)
    exactly(api.try_verify(challenge, challenge["code"]), locked(DAY))


def test_i4_replays_and_malformed_codes_are_among_the_twenty(api, now, number):
    factor = api.enroll("totp", user_id=f"i4-{number}")
    secret = factor["totp"]["secret"]
    code = totp(secret, now, -30)
    assert api.verify(api.challenge(factor), code) is True
    api.wrong(api.challenge(factor), iter([code, "wrong", " ", code]), 4)
    assert api.verify(api.challenge(factor), totp(secret, now)) is True
    other = api.enroll("generic_otp", user_id=f"i4-{number}")
    for times in (5, 4):
        api.wrong(api.challenge(other), iter(["wrong"] * times), times)
    third = api.enroll("generic_otp", user_id=f"i4-{number}")
    for times in (5, 2):
        api.wrong(api.challenge(third), iter(["wrong"] * times), times)
    exactly(api.try_verify(api.challenge(factor), totp(secret, now, 30)), locked(DAY))


def test_w9_a_stopped_sms_factor_is_refused_without_a_time(api, now, dev, number):
    factor = api.enroll("sms", phone_number=number)
    for _ in range(100):
        while (answer := api.try_challenge(factor)).status == 429:
            dev.advance(answer.json["retry_after"])
        api.wrong(answer.json, iter(["wrong"]), 1)
    exactly(api.try_verify(answer.json, "wrong"), STOPPED)
    dev.advance(2 * DAY)
    refused = api.try_challenge(factor)
    assert (refused.status, refused.json["code"]) == (429, "sms_challenge_rate_limited")
    assert list(refused.json) == ["message", "code"]
