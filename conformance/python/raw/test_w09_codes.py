"""W9: what counts as which code, and when a code of an app is accepted."""

from datetime import timedelta

import pytest
from dev import before
from errors import exactly, locked
from phone import totp, wrong_but, wrong_totps

SPELLINGS = ["{a}{b}", " {a}{b}", "{a}{b} ", "{a} {b}", "{a}-{b}", "-{a}--{b}-", "  {a} - {b}  "]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_w9_spaces_and_hyphens_are_dropped_wherever_they_stand(api, spelling):
    challenge = api.challenge(api.enroll("generic_otp"))
    code = challenge["code"]
    assert api.verify(challenge, spelling.format(a=code[:3], b=code[3:])) is True


@pytest.mark.parametrize(
    "spelling",
    [
        "\t{}",
        "{}\n",
        "\u00a0{}",
        "{}\u200b",
        "\u2010{}",
        "+{}",
        "0{}",
        "{}0",
        "{}.0",
        "0x{}",
        "'{}'",
        " ",
        "-",
        "wrong",
        "12345",
        "1" * 10_000,
    ],
)
def test_w9_any_other_string_is_a_wrong_attempt(api, spelling):
    challenge = api.challenge(api.enroll("generic_otp"))
    for _ in range(5):
        assert api.verify(challenge, spelling.format(challenge["code"])) is False
    assert api.try_verify(challenge, challenge["code"]).json["code"] == "one_time_code_too_many_attempts"


@pytest.mark.parametrize("zero", ["０", "٠", "۰", "०", "𝟎", "𝟬"])
def test_f61_unicode_digits_are_not_digits(api, zero):
    challenge = api.challenge(api.enroll("generic_otp"))
    other = "".join(chr(ord(zero) + int(digit)) for digit in challenge["code"])
    assert api.verify(challenge, other) is False
    assert api.verify(challenge, challenge["code"]) is True


def test_w9_sent_codes_keep_their_leading_zeros(api):
    """One code in ten starts with a zero; of 150 none would be a one in seven million accident."""
    factor = api.enroll("generic_otp")
    codes = [api.challenge(factor)["code"] for _ in range(150)]
    assert all(len(code) == 6 and code.isascii() and code.isdigit() for code in codes)
    assert any(code.startswith("0") for code in codes)
    assert len(set(codes)) > 140


@pytest.mark.parametrize(("later", "valid"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_w9_the_window_is_the_step_and_one_on_either_side(api, now, later, valid):
    factor = api.enroll("totp")
    assert api.verify(api.challenge(factor), totp(factor["totp"]["secret"], now, later)) is valid


def test_w9_the_window_ends_with_the_step_to_the_millisecond(api, now, dev):
    """A code of step n is taken until n+2 begins."""
    step_begins = now + timedelta(seconds=30 - now.timestamp() % 30)
    early, late = api.enroll("totp"), api.enroll("totp")
    codes = [totp(factor["totp"]["secret"], step_begins, 1) for factor in (early, late)]
    dev.set(before(step_begins + timedelta(seconds=60)))
    assert api.verify(api.challenge(early), codes[0]) is True
    dev.set(step_begins + timedelta(seconds=60))
    assert api.verify(api.challenge(late), codes[1]) is False


def test_f03_a_replayed_code_is_wrong_for_as_long_as_it_fits(api, now, dev):
    factor = api.enroll("totp")
    code = totp(factor["totp"]["secret"], now, 30)
    assert api.verify(api.challenge(factor), code) is True
    for seconds in (1, 30, 28):
        dev.advance(seconds)
        assert api.verify(api.challenge(factor), code) is False


def test_f03_neighbouring_codes_do_not_alternate(api, now):
    factor = api.enroll("totp")
    codes = [totp(factor["totp"]["secret"], now, later) for later in (-30, 0)]
    said = [api.verify(api.challenge(factor), code) for code in codes * 2]
    assert said == [True, True, False, False]


def test_f13_an_earlier_step_is_never_accepted_after_a_later_one(api, now):
    factor = api.enroll("totp")
    secret = factor["totp"]["secret"]
    assert api.verify(api.challenge(factor), totp(secret, now, 30)) is True
    for later in (0, -30, -60, -300):
        assert api.verify(api.challenge(factor), totp(secret, now, later)) is False


def test_f05_the_first_code_uses_up_its_step(api, now):
    enrolled = api.enroll_user("f05")
    factor, challenge = enrolled["authentication_factor"], enrolled["authentication_challenge"]
    secret = factor["totp"]["secret"]
    assert api.verify(challenge, totp(secret, now)) is True
    assert api.verify(api.challenge(factor), totp(secret, now)) is False
    assert api.verify(api.challenge(factor), totp(secret, now, 30)) is True


def test_f02_a_replay_looks_like_any_wrong_code(api, now):
    factor = api.enroll("totp")
    secret = factor["totp"]["secret"]
    assert api.verify(api.challenge(factor), totp(secret, now)) is True
    challenge = api.challenge(factor)
    replay = api.try_verify(challenge, totp(secret, now))
    wrong = api.try_verify(challenge, next(wrong_totps(secret, now)))
    assert (replay.status, replay.bytes) == (wrong.status, wrong.bytes)
    assert {name for name, _ in replay.header_list} == {name for name, _ in wrong.header_list}


def test_f04_a_code_is_good_for_one_of_two_challenges(api, now):
    factor = api.enroll("totp")
    code = totp(factor["totp"]["secret"], now)
    said = [api.verify(challenge, code) for challenge in (api.challenge(factor), api.challenge(factor))]
    assert said == [True, False]


def test_f01_spellings_of_a_used_code_are_the_used_code(api, now):
    factor = api.enroll("totp")
    code = totp(factor["totp"]["secret"], now)
    assert api.verify(api.challenge(factor), code) is True
    spellings = [f" {code}", f"{code} ", f"{code[:3]}-{code[3:]}", f"\t{code}", f"{code}\n", f"\u00a0{code}"]
    spellings += [f"{code}\u200b", f"+{code}", f"0{code}", "".join(chr(0xFF10 + int(digit)) for digit in code)]
    for spelling in spellings:
        assert api.verify(api.challenge(factor), spelling) is False
    exactly(api.try_verify(api.challenge(factor), totp(factor["totp"]["secret"], now, 30)), locked(30))


def test_w9_true_sets_the_count_back_to_zero_and_nothing_else_does(api, now):
    factor = api.enroll("generic_otp")
    for _ in range(2):
        for times in (5, 4):
            challenge = api.challenge(factor)
            api.wrong(challenge, wrong_but(challenge["code"]), times)
        assert api.verify(challenge, challenge["code"]) is True
    api.lock(factor)
    challenge = api.challenge(factor)
    exactly(api.try_verify(challenge, challenge["code"]), locked(30))
