"""W13: the requests of the SDKs that are not run here, with the headers and bodies each of them sends."""

import hashlib
import uuid

import pytest
from phone import wrong_but
from wire import KEY

JSON = {"Content-Type": "application/json"}


class Manner:
    """How one SDK writes its requests; what a manner leaves unsaid is as in most of them."""

    def __init__(self, name, headers=None, unused=None, no_parameters=b"{}", on_delete=None, on_get=None, key=None):
        self.name = name
        self.headers = {**JSON, **(headers or {})}
        self.unused = unused
        self.no_parameters = no_parameters
        self.on_delete = on_delete
        self.on_get = on_get or {}
        self.key = key or (lambda method, path, body: None)

    def fields(self, **given):
        """The fields of a factor, the unused ones too if this SDK sends them."""
        if self.unused == "leave out":
            return given
        names = ["type", "phone_number", "totp_issuer", "totp_user"]
        return {name: given.get(name, self.unused) for name in names}

    def post_headers(self, path, body):
        key = self.key("POST", path, body)
        return {**self.headers, **({"Idempotency-Key": key} if key else {})}


def kotlin_key(method, path, body):
    return "retry-" + hashlib.sha256(f"{method}{path}{body}".encode()).hexdigest()


def fresh(prefix=""):
    return lambda *_: prefix + str(uuid.uuid4())


MANNERS = [
    Manner(
        "Node 10",
        {"Accept": "application/json, text/plain, */*", "Accept-Encoding": "utf-8", "User-Agent": "workos-node/10"},
        "leave out",
        on_get=JSON,
        key=fresh("retry-"),
    ),
    Manner("Ruby 6", {"User-Agent": "WorkOS; ruby/3.3; x86_64-linux; v6"}, None, b'{"sms_template":null}'),
    Manner("PHP 4", unused=None, no_parameters=b'{"sms_template":null}'),
    Manner("PHP 5.0", unused="leave out", no_parameters=b"[]"),
    Manner("Go 6", unused="", no_parameters=b'{"sms_template":""}', on_get=JSON),
    Manner("Go 7", unused="leave out", no_parameters=b"null", on_get=JSON, key=fresh()),
    Manner(".NET 2", {"Content-Type": "application/json; charset=utf-8"}, "leave out", on_delete=b"{}", on_get=JSON),
    Manner("Kotlin 4", {"Accept": "application/json"}, "leave out"),
    Manner("Kotlin 5", unused="leave out", no_parameters=b"", key=kotlin_key),
    Manner("Elixir", unused=None, no_parameters=b'{"sms_template":null}', on_get=JSON, on_delete=b"{}"),
]


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.name)
def test_w13_the_whole_path_in_each_manner(wire, api, dev, number, manner):
    def post(path, body):
        return wire.post(path, body, headers=manner.post_headers(path, body))

    factors = []
    for fields in (
        {"type": "totp", "totp_issuer": "Northwind", "totp_user": "kim"},
        {"type": "sms", "phone_number": number.removeprefix("+1")},
        {"type": "generic_otp"},
    ):
        enrolled = post("/auth/factors/enroll", manner.fields(**fields))
        assert enrolled.status == 201, enrolled
        assert enrolled.json["type"] == fields["type"]
        factors.append(enrolled.json)
    assert factors[1]["sms"]["phone_number"] == number

    for factor in factors:
        path = f"/auth/factors/{factor['id']}"
        assert wire.get(path, headers=manner.on_get).json["id"] == factor["id"]
        opened = [post(f"{path}/challenge", manner.no_parameters) for _ in range(2)]
        assert [answer.status for answer in opened] == [201, 201]
        assert opened[0].json["id"] != opened[1].json["id"]
        for answer in opened:
            challenge = answer.json
            assert challenge["expires_at"]
            verify = f"/auth/challenges/{challenge['id']}/verify"
            code = challenge.get("code") or inbox_code(dev, number, challenge)
            assert post(verify, {"code": next(wrong_but(code))}).json["valid"] is False
            if code:
                right = post(verify, {"code": code})
                assert right.json["valid"] is True
                assert "code" not in right.json
        deleted = wire.delete(path, manner.on_delete, headers=JSON)
        assert (deleted.status, deleted.bytes) == (204, b"")
        assert wire.get(path, headers=manner.on_get).status == 404


def inbox_code(dev, number, challenge):
    for message in dev.messages(to=number):
        if message["authentication_challenge_id"] == challenge["id"]:
            return message["code"]
    return None


def test_w13_kotlin_opens_two_challenges_with_one_key(wire, api):
    """W7's trap, as Kotlin 5 springs it: empty body, the same key each time."""
    factor = api.enroll("generic_otp")
    path = f"/auth/factors/{factor['id']}/challenge"
    headers = {"Idempotency-Key": kotlin_key("POST", path, "")}
    first, second = (wire.post(path, headers=headers).json for _ in range(2))
    assert first["id"] != second["id"]
    assert api.verify(second, second["code"]) is True


def test_w13_kotlin_4_and_net_2_verify_over_the_old_path(wire, api):
    challenge = api.challenge(api.enroll("generic_otp"))
    body = {"authentication_challenge_id": challenge["id"], "code": challenge["code"]}
    answer = wire.post("/auth/factors/verify", body, content_type="application/json; charset=utf-8")
    assert (answer.status, answer.json["valid"]) == (201, True)


def test_w13_php_reads_the_request_id_in_lower_case(wire):
    """Held for every answer in wire.py; here for an error before routing into the rules."""
    names = [name for name, _ in wire.get("/nothing").header_list]
    assert "x-request-id" in names


def test_w13_http_1_0_and_a_closed_connection(wire, api):
    """What a health check or an old proxy speaks."""
    import socket

    from wire import URL

    factor = api.enroll("generic_otp")
    with socket.create_connection((URL.hostname, URL.port), timeout=10) as raw:
        raw.sendall(f"GET /auth/factors/{factor['id']} HTTP/1.0\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
        received = b""
        while chunk := raw.recv(65_536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0].split(b" ")[1] == b"200"
    assert factor["id"].encode() in body
