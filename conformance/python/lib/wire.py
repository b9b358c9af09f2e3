"""Plain HTTP with every byte in our hand, and the rules that hold for every answer whatever was asked (W2, W3, W5)."""

import http.client
import json
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

URL = urlsplit(os.environ["COUNTERSIGN_URL"])
KEY = os.environ["WORKOS_API_KEY"]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MAY_SAY_RETRY_AFTER = {"rate_limit_exceeded", "service_unavailable", "sms_delivery_failed"}


class Answer:
    """One HTTP answer, already held against the rules that every answer obeys."""

    seen_request_ids = set()

    def __init__(self, method, response):
        self.status = response.status
        self.header_list = response.getheaders()
        self.headers = {name.lower(): value for name, value in self.header_list}
        self.bytes = response.read()
        self.method = method
        self._obeys_the_rules_of_every_answer()

    @property
    def text(self):
        return self.bytes.decode()

    @property
    def json(self):
        return json.loads(self.bytes)

    def __repr__(self):
        return f"<{self.status} {self.text}>"

    def _obeys_the_rules_of_every_answer(self):
        names = [name for name, _ in self.header_list]
        assert names.count("x-request-id") == 1, names
        request_id = self.headers["x-request-id"]
        assert UUID.fullmatch(request_id), request_id
        assert request_id not in Answer.seen_request_ids
        Answer.seen_request_ids.add(request_id)
        assert self.headers["cache-control"] == "no-store"
        assert self.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in names if name.lower().startswith("access-control-")]
        if self.status == 204:
            assert self.bytes == b"" and "content-type" not in self.headers
            return
        assert self.headers["content-type"] == "application/json; charset=utf-8"
        if self.method == "HEAD":
            assert self.bytes == b""
            return
        body = self.json
        assert isinstance(body, dict)
        assert "error" not in body
        if self.status >= 400:
            self._is_an_error(body)
        else:
            assert self.status in (200, 201)
            assert not ("valid" in body and "code" in body)
            assert "retry-after" not in self.headers

    def _is_an_error(self, body):
        if self.status == 401:
            assert self.bytes == b'{"message":"Unauthorized"}'
            return
        assert list(body)[:2] == ["message", "code"]
        assert isinstance(body["message"], str) and isinstance(body["code"], str)
        if "retry_after" in body:
            assert type(body["retry_after"]) is int and body["retry_after"] >= 1
        if "retry-after" in self.headers:
            assert body["code"] in MAY_SAY_RETRY_AFTER
            assert re.fullmatch("[1-5]", self.headers["retry-after"])
            assert body["retry_after"] == int(self.headers["retry-after"])
        else:
            assert body["code"] not in ("rate_limit_exceeded", "service_unavailable")


class Wire:
    """One connection to the server under test, opened anew when it was closed."""

    def __init__(self):
        self._connection = None

    def send(self, method, path, body=None, headers=None, key=KEY, content_type="application/json"):
        """`body`: None for none at all, bytes as they are, an iterator in chunks, anything else as JSON. A header of
        None is not sent."""
        if body is not None and not isinstance(body, (bytes, Iterator)):
            body = json.dumps(body, ensure_ascii=False).encode()
        fields = {
            "Authorization": None if key is None else f"Bearer {key}",
            "Content-Type": None if body is None else content_type,
            **(headers or {}),
        }
        fields = {name: value for name, value in fields.items() if value is not None}
        if self._connection is None:
            self._connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=30)
        try:
            try:
                self._connection.request(method, path, body=body, headers=fields)
            except (BrokenPipeError, ConnectionResetError):
                pass  # A body too long may be refused before it was all sent; the answer is there to read.
            response = self._connection.getresponse()
            answer = Answer(method, response)
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            raise
        if response.will_close:
            self._connection.close()
            self._connection = None
        return answer

    def get(self, path, **more):
        return self.send("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.send("POST", path, body, **more)

    def delete(self, path, body=None, **more):
        return self.send("DELETE", path, body, **more)
