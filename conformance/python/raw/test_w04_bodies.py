"""W4: what SDKs send for "nothing", and what is no request body at all."""

import gzip

import pytest
from errors import DUPLICATE_KEY, NOT_JSON, exactly, invalid

ENROLL = "/auth/factors/enroll"
JSON = "application/json"


@pytest.mark.parametrize(
    ("sender", "body", "headers"),
    [
        ("Node, Python, Rust", b"{}", {"Content-Type": "application/json;charset=utf-8"}),
        ("Go 7 and later", b"null", {"Content-Type": JSON}),
        ("PHP 5.0", b"[]", {"Content-Type": JSON}),
        ("Kotlin 5 and later", b"", {"Content-Type": JSON}),
        ("others", b"", {"Content-Type": None}),
        ("others", None, {}),
        ("Go 6 and earlier", b'{"sms_template":""}', {"Content-Type": JSON}),
        ("Ruby, PHP 4, Elixir", b'{"sms_template":null}', {"Content-Type": JSON}),
        ("curl -d", b"{}", {"Content-Type": None}),
    ],
)
def test_w4_no_parameters_on_a_challenge(api, sender, body, headers):
    factor = api.enroll("generic_otp")
    assert api.wire.post(f"/auth/factors/{factor['id']}/challenge", body, headers=headers).status == 201, sender


def test_w4_an_array_is_no_parameters_on_the_two_challenge_routes_only(wire, api):
    factor = api.enroll("generic_otp")
    object_wanted = invalid(("body", "body must be a JSON object"))
    exactly(wire.post(ENROLL, b"[]"), object_wanted)
    exactly(wire.post("/user_management/users/u/auth_factors", b"[]"), object_wanted)
    exactly(wire.post(f"/auth/challenges/{api.challenge(factor)['id']}/verify", b"[]"), object_wanted)
    exactly(wire.post("/auth/factors/verify", b"[]"), object_wanted)
    exactly(wire.post(f"/auth/factors/{factor['id']}/challenge", b"[1]"), object_wanted)
    exactly(
        wire.post("/auth/factors/challenge", b"[]"),
        invalid(("authentication_factor_id", "authentication_factor_id should not be empty")),
    )


@pytest.mark.parametrize("body", [b"1", b'"type"', b"true", b'["totp"]'])
def test_w4_json_but_not_an_object_is_422(wire, body):
    exactly(wire.post(ENROLL, body), invalid(("body", "body must be a JSON object")))


@pytest.mark.parametrize("body", [None, b"", b"null", b"{}"])
def test_w4_empty_and_null_count_as_an_empty_object_everywhere(wire, body):
    exactly(wire.post(ENROLL, body), invalid(("type", "type should not be empty")))


def test_w4_null_and_empty_are_absent_in_every_field(wire, api):
    for nothing in (None, ""):
        unused = {name: nothing for name in ("phone_number", "totp_issuer", "totp_user", "user_id")}
        assert list(api.enroll("generic_otp", **unused)) == ["object", "id", "created_at", "updated_at", "type"]
        totp = api.enroll("totp", **unused)
        assert totp["totp"]["user"] == totp["id"]
        exactly(
            wire.post(ENROLL, {"type": "sms", "phone_number": nothing}),
            invalid(("phone_number", "phone_number should not be empty")),
        )
        enrolled = api.enroll_user("u", totp_issuer=nothing, totp_user=nothing, totp_secret=nothing)
        assert enrolled["authentication_factor"]["totp"]["user"] == "u"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {"Content-Type": JSON}),
        (b"not json", {"Content-Type": JSON}),
        (b"<x/>", {"Content-Type": "text/xml"}),
        (b'{"a":1,"a":2}', {}),
        (None, {"Content-Type": JSON}),
    ],
)
def test_w4_what_is_sent_with_a_delete_is_not_parsed(wire, api, body, headers):
    factor = api.enroll("generic_otp")
    assert wire.delete(f"/auth/factors/{factor['id']}", body, headers=headers).status == 204
    assert wire.get(f"/auth/factors/{factor['id']}").status == 404


def test_w4_a_content_type_without_a_body_is_ignored_on_get(wire, api):
    factor = api.enroll("generic_otp", user_id="w4")
    for path in (f"/auth/factors/{factor['id']}", "/user_management/users/w4/auth_factors"):
        assert wire.get(path, headers={"Content-Type": JSON}).status == 200


@pytest.mark.parametrize("type", ["Application/JSON", "application/json;charset=latin1", "application/json; a=b; c=d"])
def test_w4_json_with_any_parameters_is_json_in_utf8(wire, type):
    body = '{"type":"generic_otp","user_id":"é"}'.encode()
    assert wire.post(ENROLL, body, content_type=type).json["user_id"] == "é"


@pytest.mark.parametrize("type", ["text/plain", "application/jsonx", "application/x-www-form-urlencoded", "json", "*/*"])
def test_w4_another_type_with_a_body_is_415(wire, type):
    answer = wire.post(ENROLL, b'{"type":"generic_otp"}', content_type=type)
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
    assert list(answer.json) == ["message", "code"]


def test_w4_another_type_without_a_body_is_no_matter(wire):
    answer = wire.post(ENROLL, b"", content_type="text/plain")
    exactly(answer, invalid(("type", "type should not be empty")))


def test_w4_encodings(wire):
    body = b'{"type":"generic_otp"}'
    assert wire.post(ENROLL, body, headers={"Content-Encoding": "identity"}).status == 201
    for encoding, data in [("gzip", gzip.compress(body)), ("br", body), ("identity, gzip", body)]:
        answer = wire.post(ENROLL, data, headers={"Content-Encoding": encoding})
        assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


def padded(length):
    body = b'{"type":"generic_otp"}'
    return body + b" " * (length - len(body))


def test_w4_64_kib_and_one_byte_more(wire):
    assert wire.post(ENROLL, padded(65_536)).status == 201
    answer = wire.post(ENROLL, padded(65_537))
    assert (answer.status, answer.json["code"]) == (413, "payload_too_large")
    assert list(answer.json) == ["message", "code"]


def test_w4_chunks_are_bounded_too(wire):
    chunks = [b'{"type":"generic_otp"}', *[b" " * 4096] * 20]
    answer = wire.post(ENROLL, iter(chunks))
    assert (answer.status, answer.json["code"]) == (413, "payload_too_large")
    assert wire.post(ENROLL, iter(chunks[:5])).status == 201


def nested(depth):
    """A field nobody knows, `depth` containers inside one another, the body itself included."""
    return b'{"type":"generic_otp","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_w4_32_containers_and_one_more(wire):
    assert wire.post(ENROLL, nested(32)).status == 201
    exactly(wire.post(ENROLL, nested(33)), NOT_JSON)
    exactly(wire.post(ENROLL, nested(20_000)), NOT_JSON)
    objects = b'{"type":"generic_otp","x":' + b'{"y":' * 31 + b"1" + b"}" * 32
    assert wire.post(ENROLL, objects).status == 201
    exactly(wire.post(ENROLL, objects.replace(b'"x":', b'"x":{"y":', 1) + b"}"), NOT_JSON)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"type=totp",
        b"{'type':'generic_otp'}",
        b'{"type":"generic_otp",}',
        b'{"type":"generic_otp"} x',
        b'{"type":"generic_otp"}{}',
        b'{"type":"generic_otp","x":NaN}',
        b'{"type":"generic_otp","x":Infinity}',
        b'{"type":"generic_otp","x":01}',
        b'{"type":"generic_otp","x":.5}',
        b'{"type":"generic_otp","x":+1}',
        b'{"type":"generic_otp","x":"\xff"}',
        b'{"type":"generic_otp","x":"\xed\xa0\x80"}',
        b'{"type":"generic_otp","user_id":"\\ud800"}',
        b'{"type":"generic_otp","user_id":"\\udc00\\ud800"}',
        b'{"type":"generic_otp","x":"\n"}',
        b'{"type":"generic_otp"/**/}',
        b'\xef\xbb\xbf{"type":"generic_otp"}',
        '{"type":"generic_otp"}'.encode("utf-16"),
        b'{"type":"generic_otp","x":"\\x41"}',
        b"\x00",
    ],
)
def test_w4_what_is_not_json_in_utf8_is_400(wire, body):
    exactly(wire.post(ENROLL, body), NOT_JSON)


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"generic_otp","type":"generic_otp"}',
        b'{"type":"generic_otp","\\u0074ype":"sms"}',
        b'{"type":"generic_otp","unknown":1,"unknown":2}',
        b'{"type":"generic_otp","x":{"a":1,"a":1}}',
        b'{"type":"generic_otp","x":[{"a":1,"b":2,"\\u0061":1}]}',
        b'{"type":"generic_otp","":1,"":2}',
    ],
)
def test_w4_the_same_key_twice_is_400_wherever_it_stands(wire, body):
    exactly(wire.post(ENROLL, body), DUPLICATE_KEY)


def test_w4_the_same_key_in_two_objects_is_fine(wire):
    assert wire.post(ENROLL, b'{"type":"generic_otp","x":{"type":1},"y":[{"a":1},{"a":1}]}').status == 201


def test_f62_a_body_that_two_could_read_differently_costs_no_attempt(wire, api):
    challenge = api.challenge(api.enroll("generic_otp"))
    path, code = f"/auth/challenges/{challenge['id']}/verify", challenge["code"].encode()
    for body in [
        b'{"code":"' + code + b'","code":"000000"}',
        b'{"code":"000000","code":"' + code + b'"}',
        b'{"code":"000000","c\\u006fde":"' + code + b'"}',
        b'{"code":"' + code + b'","x":1,"x":1}',
    ]:
        exactly(wire.post(path, body), DUPLICATE_KEY)
    for body in [b'{"code":NaN}', b'{"code":"' + code + b'"} x', b'\xef\xbb\xbf{"code":"' + code + b'"}']:
        exactly(wire.post(path, body), NOT_JSON)
    exactly(wire.post(path, b'{"code":1e400}'), invalid(("code", "code must be a string")))
    api.wrong(challenge, iter(["wrong"] * 4), 4)
    assert api.verify(challenge, challenge["code"]) is True


def test_w4_unknown_fields_and_parameters_are_ignored(wire, api):
    more = {"verified": True, "id": "auth_factor_x", "created_at": "1999-01-01T00:00:00.000Z", "attempts_used": -5}
    factor = wire.post(ENROLL + "?type=sms&x=1", {"type": "generic_otp", **more})
    assert factor.status == 201
    assert factor.json["id"] != "auth_factor_x" and factor.json["created_at"] > "2000"
    challenge = api.challenge(factor.json, **more)
    answer = wire.post(f"/auth/challenges/{challenge['id']}/verify?code=1", {"code": challenge["code"], **more})
    assert answer.json["valid"] is True


def test_w4_a_field_of_another_type_is_ignored_unread(api, number):
    api.enroll("generic_otp", phone_number=7, totp_issuer=[], totp_user={"a": 1})
    api.enroll("totp", phone_number={"not": "read"})
    api.enroll("sms", phone_number=number, totp_issuer=False, totp_user="x" * 5000)
    factor = api.enroll("totp")
    assert api.try_challenge(factor, {"sms_template": "https://nobody.reads.it"}).status == 201
    assert api.try_challenge(factor, {"sms_template": 7}).status == 201


def test_f40_the_client_does_not_choose_its_secret_on_enroll(api):
    mine = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    assert api.enroll("totp", totp_secret=mine)["totp"]["secret"] != mine
