"""W15: the helpers of dev mode."""

from datetime import timedelta

import pytest
from api import created
from dev import write
from errors import UNAUTHORIZED, exactly

DEV = "/countersign/dev"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{DEV}/messages"),
        ("GET", f"{DEV}/clock"),
        ("POST", f"{DEV}/clock"),
        ("POST", f"{DEV}/failures"),
        ("POST", f"{DEV}/reset"),
    ],
)
def test_w15_the_helpers_take_the_same_key(wire, method, path):
    exactly(wire.send(method, path, key=None), UNAUTHORIZED)
    exactly(wire.send(method, path, key="sk_test_other"), UNAUTHORIZED)


def test_w15_messages_newest_first_by_number_and_limit(wire, api, dev, number):
    other = number[:-4] + "9" + number[-3:]
    challenges = [api.challenge(api.enroll("sms", phone_number=to)) for to in (number, other, number)]
    newest, middle, oldest = dev.messages()
    assert [message["to"] for message in (newest, middle, oldest)] == [number, other, number]
    assert newest["authentication_challenge_id"] == challenges[2]["id"]
    for message in (newest, middle, oldest):
        assert list(message) == ["to", "channel", "body", "code", "authentication_challenge_id", "created_at"]
        assert message["channel"] == "sms"
        assert len(message["code"]) == 6 and message["code"] in message["body"]
        created(message)
    assert dev.messages(to=number) == [newest, oldest]
    assert dev.messages(to=number, limit=1) == [newest]
    assert dev.messages(to="+14155559999") == []
    answer = wire.get(f"{DEV}/messages").json
    assert (list(answer)[:2], answer["object"]) == (["object", "data"], "list")


def test_w15_the_clock_stands_when_frozen_moves_when_told_and_runs_again(dev):
    frozen = dev.freeze()
    assert dev.now() == frozen
    assert dev.advance(90) == frozen + timedelta(seconds=90)
    target = frozen + timedelta(days=1, milliseconds=7)
    assert dev.set(target) == dev.now() == target
    dev.thaw()
    assert dev.wire.get(f"{DEV}/clock").json["frozen"] is False
    first = dev.now()
    while dev.now() == first:
        pass
    assert target <= first < dev.now()


def test_w15_all_of_the_servers_time_moves_with_the_clock(api, now, dev):
    assert created(api.enroll("generic_otp")) == now
    moved = dev.advance(3_600)
    factor = api.enroll("generic_otp")
    assert created(factor) == moved
    assert created(api.challenge(factor)) == moved


@pytest.mark.parametrize(
    "body", [{}, {"advance_seconds": "1"}, {"set": 7}, {"set": "yesterday"}, {"frozen": "yes"}, []]
)
def test_w15_a_clock_that_is_told_nonsense_says_422_and_does_not_move(wire, now, dev, body):
    answer = wire.post(f"{DEV}/clock", body)
    assert (answer.status, answer.json["code"]) == (422, "invalid_request_parameters")
    assert dev.now() == now


def test_w15_reset_leaves_nothing(wire, api, now, dev, number):
    user = f"w15-{number}"
    sms = api.enroll("sms", phone_number=number, user_id=user)
    opened = [api.challenge(sms) for _ in range(5)]
    locked = api.enroll("generic_otp", user_id=user)
    api.lock(locked)
    assert api.try_challenge(sms).status == 429
    dev.reset()
    assert dev.messages() == []
    assert api.list(user)["data"] == []
    for factor in (sms, locked):
        assert wire.get(f"/auth/factors/{factor['id']}").status == 404
    assert api.try_verify(opened[0], "123456").status == 404
    again = api.enroll("sms", phone_number=number, user_id=user)
    for _ in range(5):
        assert api.try_challenge(again).status == 201


def test_w15_failures_end_with_the_sends_they_were_for(api, dev, number):
    factor = api.enroll("sms", phone_number=number)
    dev.fail_sends(2, "rejected_number")
    assert [api.try_challenge(factor).status for _ in range(3)] == [422, 422, 201]
    dev.fail_sends(5, "rejected_number")
    dev.fail_sends(0, "rejected_number")
    assert api.try_challenge(factor).status == 201


def test_w15_an_unknown_outcome_is_422(wire):
    answer = wire.post(f"{DEV}/failures", {"sends": 1, "outcome": "luck"})
    assert (answer.status, answer.json["code"]) == (422, "invalid_request_parameters")


def test_w15_times_are_written_as_everywhere(wire, now):
    assert wire.get(f"{DEV}/clock").json == {"now": write(now), "frozen": True}
