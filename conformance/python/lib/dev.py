"""The test helpers of dev mode: the inbox, the clock, sends that fail, a clean slate (W15)."""

import re
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def parse(time):
    """A time of the wire; the rules of W3 for its form hold."""
    assert TIME.fullmatch(time), time
    return datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%f%z")


def write(moment):
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


class Dev:
    def __init__(self, wire):
        self.wire = wire

    def messages(self, to=None, limit=None):
        query = [f"to={quote(to)}"] if to else []
        query += [f"limit={limit}"] if limit else []
        answer = self.wire.get("/countersign/dev/messages" + ("?" + "&".join(query) if query else ""))
        assert answer.status == 200, answer
        return answer.json["data"]

    def _clock(self, body):
        answer = self.wire.post("/countersign/dev/clock", body)
        assert answer.status == 200, answer
        assert list(answer.json) == ["now", "frozen"]
        return answer.json

    def now(self):
        return parse(self.wire.get("/countersign/dev/clock").json["now"])

    def freeze(self):
        """Stops time; returns the moment it stands at."""
        return parse(self._clock({"frozen": True})["now"])

    def thaw(self):
        self._clock({"frozen": False})

    def set(self, moment):
        assert parse(self._clock({"set": write(moment)})["now"]) >= moment
        return moment

    def advance(self, seconds):
        return parse(self._clock({"advance_seconds": seconds})["now"])

    def fail_sends(self, sends, outcome):
        assert self.wire.post("/countersign/dev/failures", {"sends": sends, "outcome": outcome}).status == 204

    def reset(self):
        assert self.wire.post("/countersign/dev/reset").status == 204


def before(moment):
    """One millisecond earlier, the smallest the wire can tell."""
    return moment - timedelta(milliseconds=1)
