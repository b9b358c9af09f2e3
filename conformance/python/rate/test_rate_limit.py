"""W5 and F20: 6,000 requests a minute for a key. On a server of its own, since what it spends nobody else can."""

import time

from errors import UNAUTHORIZED, exactly
from wire import Wire

NOBODY = "/auth/factors/nobody"


def test_f20_the_6001st_request_of_a_minute_is_refused_and_the_time_told_is_enough():
    wire = Wire()
    started = time.monotonic()
    answers = [wire.get(NOBODY).status for _ in range(6_000)]
    assert set(answers) == {404}
    extra = 0
    while (answer := wire.get(NOBODY)).status == 404:
        extra += 1
        # A budget that flows back evenly grants 100 a second; nothing grants more than it had and that.
        assert extra <= 100 * (time.monotonic() - started) + 1
    assert answer.status == 429
    assert answer.json["message"] == "Too many requests."
    assert list(answer.json) == ["message", "code", "retry_after"]
    assert answer.json["code"] == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["retry-after"]) <= 5

    exactly(wire.get(NOBODY, key="sk_test_other"), UNAUTHORIZED)
    assert wire.get("/nothing").status == 404
    refused = wire.post("/auth/factors/enroll", b"{")
    assert refused.status == 429, "the rate comes before the body is read (W6)"

    patience = 0
    while answer.status == 429 and patience < 20:
        time.sleep(answer.json["retry_after"])
        patience += 1
        answer = wire.get(NOBODY)
    assert answer.status == 404, "a client that waits as told gets through"
