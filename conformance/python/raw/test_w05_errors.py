"""W5: validation and echoes, byte for byte. (What every error has in common is held in wire.py.)"""

import pytest
from errors import exactly, invalid, no_challenge, no_factor

ENROLL = "/auth/factors/enroll"


def one(field, rule):
    return invalid((field, f"{field} {rule}"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, one("type", "should not be empty")),
        ({"type": None}, one("type", "should not be empty")),
        ({"type": ""}, one("type", "should not be empty")),
        ({"type": 1}, one("type", "must be a string")),
        ({"type": ["totp"]}, one("type", "must be a string")),
        ({"type": {"$ne": None}}, one("type", "must be a string")),
        ({"type": "fax"}, one("type", "must be a valid enum value")),
        ({"type": "TOTP"}, one("type", "must be a valid enum value")),
        ({"type": "totp "}, one("type", "must be a valid enum value")),
        ({"type": "webauthn"}, one("type", "must be a valid enum value")),
        ({"type": "sms"}, one("phone_number", "should not be empty")),
        ({"type": "sms", "phone_number": 4155550123}, one("phone_number", "must be a string")),
        ({"type": "totp", "totp_issuer": 1}, one("totp_issuer", "must be a string")),
        ({"type": "totp", "totp_user": True}, one("totp_user", "must be a string")),
    ],
)
def test_w5_enroll_names_the_field_and_the_rule(wire, body, expected):
    exactly(wire.post(ENROLL, body), expected)


def test_w5_every_field_that_does_not_hold_is_named(wire):
    answer = wire.post(ENROLL, {"type": "totp", "totp_issuer": 1, "totp_user": 2})
    assert sorted(error["field"] for error in answer.json["errors"]) == ["totp_issuer", "totp_user"]


@pytest.mark.parametrize("type", ["sms", "generic_otp", "webauthn", "fax"])
def test_w1_a_user_is_enrolled_with_totp_only(wire, type):
    answer = wire.post("/user_management/users/u/auth_factors", {"type": type, "phone_number": "+14155550123"})
    exactly(answer, one("type", "must be a valid enum value"))


@pytest.mark.parametrize("code", [None, ""])
def test_w5_a_code_that_is_missing(api, code):
    exactly(api.try_verify(api.challenge(api.enroll("generic_otp")), code), one("code", "should not be empty"))


@pytest.mark.parametrize("code", [123456, 123456.0, 1.23456e5, True, False, [], ["123456"], {}, {"$ne": None}])
def test_f36_a_code_that_is_no_string(api, code):
    exactly(api.try_verify(api.challenge(api.enroll("generic_otp")), code), one("code", "must be a string"))


def test_w5_legacy_fields(wire, api):
    factor = api.enroll("generic_otp")
    challenge = api.challenge(factor)
    exactly(
        wire.post("/auth/factors/challenge", {}),
        one("authentication_factor_id", "should not be empty"),
    )
    exactly(
        wire.post("/auth/factors/challenge", {"authentication_factor_id": 1}),
        one("authentication_factor_id", "must be a string"),
    )
    exactly(
        wire.post("/auth/factors/verify", {"authentication_challenge_id": None, "code": "123456"}),
        one("authentication_challenge_id", "should not be empty"),
    )
    exactly(
        wire.post("/auth/factors/verify", {"authentication_challenge_id": challenge["id"]}),
        one("code", "should not be empty"),
    )


def test_w5_ids_are_echoed_without_control_characters_and_cut_at_128(wire):
    exactly(wire.get("/auth/factors/a%0Ab%1Bc%7Fd"), no_factor("abcd"))
    exactly(wire.get("/auth/factors/" + "x" * 200), no_factor("x" * 128))
    exactly(wire.get("/auth/factors/" + "%C3%A9" * 200), no_factor("é" * 128))
    exactly(wire.get("/auth/factors/a%22b%5Cc%2Fd"), no_factor('a"b\\c/d'))
    exactly(wire.post("/auth/challenges/a%27b/verify", {"code": "1"}), no_challenge("a'b"))
    exactly(
        wire.post("/auth/factors/verify", {"authentication_challenge_id": "x\n" * 200, "code": "1"}),
        no_challenge("x" * 128),
    )


def test_w5_a_submitted_value_is_never_repeated_in_a_sentence(wire):
    """F47."""
    mark = "CANARY7Q"
    for body in [{"type": mark}, {"type": "totp", "totp_issuer": mark * 100}, {"type": "generic_otp", "user_id": mark * 99}]:
        answer = wire.post(ENROLL, body)
        assert answer.status == 422
        assert mark not in answer.text
    answer = wire.post("/user_management/users/u/auth_factors", {"type": "totp", "totp_secret": mark + "0189"})
    assert answer.status == 422
    assert mark not in answer.text


def test_f31_an_id_of_one_kind_is_not_one_of_the_other(wire, api):
    factor = api.enroll("generic_otp")
    challenge = api.challenge(factor)
    exactly(wire.get(f"/auth/factors/{challenge['id']}"), no_factor(challenge["id"]))
    exactly(wire.post(f"/auth/challenges/{factor['id']}/verify", {"code": "123456"}), no_challenge(factor["id"]))


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-HTTP-Method-Override"])
def test_f30_headers_of_proxies_decide_nothing(wire, api, header):
    factor = api.enroll("generic_otp")
    plain = wire.get(f"/auth/factors/{factor['id']}")
    dressed = wire.get(f"/auth/factors/{factor['id']}", headers={header: "DELETE, a"})
    assert (dressed.status, dressed.bytes) == (plain.status, plain.bytes)


def test_f59_the_host_header_builds_nothing(wire):
    hostile = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = wire.post(ENROLL, {"type": "totp"}, headers=hostile)
    assert answer.status == 201 and "evil" not in answer.text
