"""W3: the objects, key by key in their order."""

import re

from dev import parse
from phone import wrong_but

FACTOR = ["object", "id", "created_at", "updated_at", "type"]
CHALLENGE = ["object", "id", "created_at", "updated_at", "expires_at"]
ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid_time(id):
    milliseconds = 0
    for letter in id.rpartition("_")[2][:10]:
        milliseconds = milliseconds * 32 + CROCKFORD.index(letter)
    return milliseconds


def milliseconds(time):
    moment = parse(time)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def is_factor(factor, type, *more):
    assert list(factor) == FACTOR + list(more)
    assert factor["object"] == "authentication_factor"
    assert re.fullmatch(f"auth_factor_{ULID}", factor["id"])
    assert factor["type"] == type
    assert factor["created_at"] == factor["updated_at"]
    assert ulid_time(factor["id"]) == milliseconds(factor["created_at"])


def is_challenge(challenge, factor, *more):
    assert list(challenge) == CHALLENGE + list(more) + ["authentication_factor_id"]
    assert challenge["object"] == "authentication_challenge"
    assert re.fullmatch(f"auth_challenge_{ULID}", challenge["id"])
    assert challenge["created_at"] == challenge["updated_at"]
    assert challenge["authentication_factor_id"] == factor["id"]
    assert ulid_time(challenge["id"]) == milliseconds(challenge["created_at"])


def test_w3_a_totp_factor_shows_its_secrets_once(wire, api):
    enrolled = api.enroll("totp", totp_issuer="Northwind", totp_user="kim@example.org", user_id="u-4711")
    is_factor(enrolled, "totp", "user_id", "totp")
    assert list(enrolled["totp"]) == ["issuer", "user", "secret", "qr_code", "uri"]
    found = wire.get(f"/auth/factors/{enrolled['id']}").json
    is_factor(found, "totp", "user_id", "totp")
    assert found["totp"] == {"issuer": "Northwind", "user": "kim@example.org"}
    assert found == {**enrolled, "totp": found["totp"]}


def test_w3_an_sms_factor(wire, api, number):
    enrolled = api.enroll("sms", phone_number=number, user_id="u-4711")
    is_factor(enrolled, "sms", "user_id", "sms")
    assert enrolled["sms"] == {"phone_number": number}
    assert wire.get(f"/auth/factors/{enrolled['id']}").json == enrolled


def test_w3_a_generic_factor_has_nothing_nested(wire, api):
    enrolled = api.enroll("generic_otp")
    is_factor(enrolled, "generic_otp")
    assert wire.get(f"/auth/factors/{enrolled['id']}").json == enrolled


def test_w3_challenges_and_verify_answers(api, dev, number):
    for type, fields in [("totp", {}), ("sms", {"phone_number": number}), ("generic_otp", {})]:
        factor = api.enroll(type, **fields)
        challenge = api.challenge(factor)
        more = ["code"] if type == "generic_otp" else []
        is_challenge(challenge, factor, *more)
        wrong = api.try_verify(challenge, "wrong").json
        assert list(wrong) == ["challenge", "valid"]
        is_challenge(wrong["challenge"], factor)
        without_code = {name: value for name, value in challenge.items() if name != "code"}
        assert wrong == {"challenge": without_code, "valid": False}


def test_w3_a_right_code_is_in_the_answer_for_generic_otp_only_and_normalized(api, dev, number):
    challenge = api.challenge(api.enroll("generic_otp"))
    code = challenge["code"]
    right = api.try_verify(challenge, f" {code[:3]}-{code[3:]} ").json
    assert list(right["challenge"]) == list(challenge)
    assert right == {"challenge": challenge, "valid": True}

    challenge = api.challenge(api.enroll("sms", phone_number=number))
    right = api.try_verify(challenge, dev.messages(to=number)[0]["code"])
    assert right.json == {"challenge": challenge, "valid": True}


def test_w3_a_verification_moves_no_time(wire, api, now, dev):
    factor = api.enroll("generic_otp")
    challenge = api.challenge(factor)
    dev.advance(5)
    api.verify(challenge, next(wrong_but(challenge["code"])))
    assert api.try_verify(challenge, challenge["code"]).json["challenge"] == challenge
    assert wire.get(f"/auth/factors/{factor['id']}").json == factor


def test_w3_a_user_enrollment_opens_a_challenge_at_once(api):
    answer = api.enroll_user("u-4711")
    assert list(answer) == ["authentication_factor", "authentication_challenge"]
    is_factor(answer["authentication_factor"], "totp", "user_id", "totp")
    assert list(answer["authentication_factor"]["totp"]) == ["issuer", "user", "secret", "qr_code", "uri"]
    is_challenge(answer["authentication_challenge"], answer["authentication_factor"])


def test_w3_ids_rise_strictly_within_a_millisecond(api, now):
    ids = [api.enroll("generic_otp")["id"] for _ in range(50)]
    assert ids == sorted(set(ids))


def test_w3_ids_compare_exactly(wire, api):
    factor = api.enroll("generic_otp")
    other = factor["id"].replace("auth_factor_", "").lower()
    assert wire.get(f"/auth/factors/auth_factor_{other}").status == 404
    assert wire.get(f"/auth/factors/{factor['id'].upper()}").status == 404


def test_f45_nothing_but_the_enrollment_shows_a_secret(wire, api, dev):
    factor = api.enroll("totp", user_id="f45")
    challenge = api.try_challenge(factor)
    later = [
        wire.get(f"/auth/factors/{factor['id']}"),
        wire.get("/user_management/users/f45/auth_factors"),
        challenge,
        api.try_verify(challenge.json, "wrong"),
    ]
    for answer in later:
        for word in ("secret", "qr_code", "uri", factor["totp"]["secret"]):
            assert word not in answer.text
