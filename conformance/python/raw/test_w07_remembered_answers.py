"""W7: one call repeated with its Idempotency-Key is done once."""

import threading
import uuid

import pytest
from errors import exactly, expired, invalid, locked, no_factor, verified
from phone import wrong_but
from wire import Wire

ENROLL = "/auth/factors/enroll"
GENERIC = {"type": "generic_otp"}


def with_key(key):
    return {"headers": {"Idempotency-Key": key}}


def same(first, second):
    assert (first.status, first.bytes) == (second.status, second.bytes)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_w7_the_same_request_gets_the_same_bytes_and_nothing_is_done_again(wire, api, key):
    user = {"type": "totp", "user_id": f"u-{key}"}
    first = wire.post(ENROLL, user, **with_key(key))
    same(first, wire.post(ENROLL, user, **with_key(key)))
    assert len(api.list(user["user_id"])["data"]) == 1


def test_w7_a_remembered_valid_true_is_told_again(api, key):
    challenge = api.challenge(api.enroll("generic_otp"))
    first = api.try_verify(challenge, challenge["code"], **with_key(key))
    assert first.json["valid"] is True
    same(first, api.try_verify(challenge, challenge["code"], **with_key(key)))
    exactly(api.try_verify(challenge, challenge["code"]), verified(challenge["id"]))


def test_w7_a_retried_wrong_code_is_charged_once(api, key):
    challenge = api.challenge(api.enroll("generic_otp"))
    answers = [api.try_verify(challenge, "wrong", **with_key(key)) for _ in range(20)]
    for answer in answers:
        assert (answer.status, answer.bytes) == (201, answers[0].bytes)
    api.wrong(challenge, wrong_but(challenge["code"]), 3)
    assert api.verify(challenge, challenge["code"]) is True


def test_w7_equal_wrong_codes_without_a_key_are_never_folded(api):
    challenge = api.challenge(api.enroll("generic_otp"))
    code = next(wrong_but(challenge["code"]))
    for _ in range(5):
        assert api.verify(challenge, code) is False
    assert api.try_verify(challenge, code).json["code"] == "one_time_code_too_many_attempts"


def test_w7_another_body_or_path_is_another_entry(wire, api, key):
    ids = [
        wire.post(ENROLL, GENERIC, **with_key(key)).json["id"],
        wire.post(ENROLL, {**GENERIC, "x": 1}, **with_key(key)).json["id"],
        wire.post(ENROLL, b'{ "type":"generic_otp"}', **with_key(key)).json["id"],
    ]
    assert len(set(ids)) == 3
    factors = [api.enroll("generic_otp") for _ in range(2)]
    opened = [api.try_challenge(factor, **with_key(key)).json for factor in factors]
    assert [challenge["authentication_factor_id"] for challenge in opened] == [factor["id"] for factor in factors]


def test_w7_one_challenge_is_one_text_message(api, dev, number, key):
    factor = api.enroll("sms", phone_number=number)
    same(api.try_challenge(factor, **with_key(key)), api.try_challenge(factor, **with_key(key)))
    assert len(dev.messages(to=number)) == 1


def test_w7_kotlins_keys_are_never_remembered(api):
    """The trap: the same key for every "challenge this factor" call."""
    for digits in ("0123456789abcdef" * 4, "0123456789ABCDEF" * 4):
        factor = api.enroll("generic_otp")
        calls = [api.try_challenge(factor, b"", **with_key(f"retry-{digits}")) for _ in range(2)]
        assert [answer.status for answer in calls] == [201, 201]
        first, second = (answer.json for answer in calls)
        assert first["id"] != second["id"]
        assert api.verify(second, second["code"]) is True
        key = with_key(f"retry-{digits[::-1]}")
        third = api.challenge(factor)
        assert api.try_verify(third, third["code"], **key).json["valid"] is True
        exactly(api.try_verify(third, third["code"], **key), verified(third["id"]))


@pytest.mark.parametrize(
    "key",
    [
        f"retry-{uuid.uuid4()}",
        "retry-" + "0123456789abcdef" * 4 + "0",
        "retry-" + "0123456789abcdef" * 3,
        "retry-" + "0123456789abcdeg" * 4,
        "Retry" + uuid.uuid4().hex,
        "x",
        "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~",
        "k" * 255,
    ],
)
def test_w7_other_keys_are_remembered(api, dev, key):
    """Node's `retry-<uuid>` is fresh for every call, whatever it looks like."""
    factor = api.enroll("generic_otp")
    same(api.try_challenge(factor, **with_key(key)), api.try_challenge(factor, **with_key(key)))


@pytest.mark.parametrize("key", ["k" * 256, "k" * 5000, "a b", "caf\xe9", "a\tb", ""])
def test_w7_unusable_keys_are_ignored_and_never_an_error(api, key):
    factor = api.enroll("generic_otp")
    calls = [api.try_challenge(factor, **with_key(key)) for _ in range(2)]
    assert [answer.status for answer in calls] == [201, 201]
    assert calls[0].json["id"] != calls[1].json["id"]


def test_w7_keys_compare_exactly(wire, key):
    ids = {wire.post(ENROLL, GENERIC, **with_key(each)).json["id"] for each in (key, key.upper() + "A", key + "B")}
    assert len(ids) == 3


def test_w7_400_404_and_422_are_remembered(wire, api, key, now, dev):
    challenge = api.challenge(api.enroll("generic_otp"))
    dev.advance(600)
    first = api.try_verify(challenge, challenge["code"], **with_key(key))
    exactly(first, expired(challenge["id"]))
    same(first, api.try_verify(challenge, challenge["code"], **with_key(key)))
    for path, body, expected in [
        ("/auth/factors/nobody/challenge", {}, no_factor("nobody")),
        (ENROLL, {}, invalid(("type", "type should not be empty"))),
    ]:
        first = wire.post(path, body, **with_key(key))
        exactly(first, expected)
        same(first, wire.post(path, body, **with_key(key)))


def test_w7_a_remembered_answer_outlives_its_factor(wire, api, key):
    """A challenge whose answer is remembered is answered so even after its factor is gone."""
    factor = api.enroll("generic_otp")
    first = api.try_challenge(factor, **with_key(key))
    api.delete(factor)
    same(first, api.try_challenge(factor, **with_key(key)))
    exactly(api.try_challenge(factor), no_factor(factor["id"]))


def test_w7_429_is_never_remembered(api, key, now, dev):
    factor = api.enroll("generic_otp")
    api.lock(factor)
    challenge = api.challenge(factor)
    exactly(api.try_verify(challenge, challenge["code"], **with_key(key)), locked(30))
    dev.advance(30)
    assert api.try_verify(challenge, challenge["code"], **with_key(key)).json["valid"] is True


def test_w7_503_is_never_remembered(api, dev, number, key):
    factor = api.enroll("sms", phone_number=number)
    dev.fail_sends(1, "refused")
    refused = api.try_challenge(factor, **with_key(key))
    assert (refused.status, refused.json["code"]) == (503, "sms_delivery_failed")
    assert api.try_challenge(factor, **with_key(key)).status == 201


def test_w7_401_comes_before_memory_and_is_not_remembered(wire, key):
    first = wire.post(ENROLL, GENERIC, **with_key(key))
    assert wire.post(ENROLL, GENERIC, key="sk_test_other", **with_key(key)).status == 401
    same(first, wire.post(ENROLL, GENERIC, **with_key(key)))


def test_w7_an_answer_is_remembered_for_two_minutes(wire, key, now, dev):
    first = wire.post(ENROLL, GENERIC, **with_key(key))
    dev.advance(119)
    same(first, wire.post(ENROLL, GENERIC, **with_key(key)))
    dev.advance(2)
    later = wire.post(ENROLL, GENERIC, **with_key(key))
    assert later.status == 201 and later.json["id"] != first.json["id"]


def test_w7_get_and_delete_know_no_memory(wire, api, key):
    factor = api.enroll("generic_otp")
    path = f"/auth/factors/{factor['id']}"
    assert wire.get(path, **with_key(key)).status == 200
    assert wire.delete(path, **with_key(key)).status == 204
    exactly(wire.get(path, **with_key(key)), no_factor(factor["id"]))
    exactly(wire.delete(path, **with_key(key)), no_factor(factor["id"]))


def test_w7_the_second_waits_for_the_first(key):
    """Sixteen at once with one key: one factor, one answer."""
    answers, gate = [], threading.Barrier(16)

    def call():
        wire = Wire()
        wire.get("/auth/factors/nobody")
        gate.wait()
        answers.append(wire.post(ENROLL, {"type": "totp"}, **with_key(key)))

    callers = [threading.Thread(target=call) for _ in range(16)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert {answer.status for answer in answers} == {201}
    assert len({answer.bytes for answer in answers}) == 1 and len(answers) == 16
