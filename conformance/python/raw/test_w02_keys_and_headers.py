"""W2: API keys, and the headers of every answer (which wire.py looks at in each of them)."""

import http.client
from urllib.parse import quote

import pytest
from errors import UNAUTHORIZED, exactly, invalid, names_field, no_factor
from wire import KEY, URL

UNKNOWN = "auth_factor_01JDX00000000000000000000Z"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        KEY,
        f"Basic {KEY}",
        f"Bearer {KEY} {KEY}",
        f"Bearer {KEY}, Bearer {KEY}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY.upper()}",
        "Bearer sk_test_",
        "Bearer sk_live_default",
        f"Bearer {UNKNOWN}",
        "Bearer " + "x" * 5000,
    ],
)
def test_w2_a_missing_malformed_or_unknown_key_is_exactly_unauthorized(wire, value):
    answer = wire.get(f"/auth/factors/{UNKNOWN}", key=None, headers={"Authorization": value})
    exactly(answer, UNAUTHORIZED)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEARER"])
def test_w2_the_scheme_may_be_in_any_case(wire, scheme):
    answer = wire.get(f"/auth/factors/{UNKNOWN}", key=None, headers={"Authorization": f"{scheme} {KEY}"})
    exactly(answer, no_factor(UNKNOWN))


def test_w2_two_authorization_headers_are_not_one_token():
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=30)
    connection.putrequest("GET", f"/auth/factors/{UNKNOWN}")
    connection.putheader("Authorization", f"Bearer {KEY}")
    connection.putheader("Authorization", f"Bearer {KEY}")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == UNAUTHORIZED
    connection.close()


def test_w2_a_callers_request_id_is_never_echoed(wire):
    mine = "11111111-2222-4333-8444-555555555555"
    answer = wire.get(f"/auth/factors/{UNKNOWN}", headers={"X-Request-Id": mine})
    assert answer.headers["x-request-id"] != mine
    assert mine not in answer.text


@pytest.mark.parametrize("accept", ["application/json, text/plain, */*", "text/html", "image/png;q=0", ""])
def test_w2_never_406(wire, accept):
    headers = {"Accept": accept, "Accept-Encoding": "utf-8", "Accept-Charset": "utf-16"}
    assert wire.post("/auth/factors/enroll", {"type": "generic_otp"}, headers=headers).status == 201


def test_w2_head_is_answered_as_get(wire, api):
    factor = api.enroll("generic_otp")
    got = wire.get(f"/auth/factors/{factor['id']}")
    head = wire.send("HEAD", f"/auth/factors/{factor['id']}")
    assert head.status == 200
    assert head.headers["content-length"] == str(len(got.bytes))
    assert wire.send("HEAD", f"/auth/factors/{UNKNOWN}").status == 404


@pytest.mark.parametrize("user_id", ["u", "x" * 255, "Kim Ångström", "日本語", "a/b", "a?b#c", "%41", "e\u0301"])
def test_w2_a_user_id_is_echoed_as_given(wire, api, user_id):
    assert api.enroll("generic_otp", user_id=user_id)["user_id"] == user_id
    enrolled = api.enroll_user(quote(user_id, safe=""))
    assert enrolled["authentication_factor"]["user_id"] == user_id


def test_w2_a_user_id_is_one_to_255_characters_without_control_characters(wire):
    for user_id in ["x" * 256, "a\nb", "a\u0000", "\u007f", "a\u0085b"]:
        names_field(wire.post("/auth/factors/enroll", {"type": "generic_otp", "user_id": user_id}), "user_id")
    for path in ["x" * 256, "a%0Ab", "a%00", "%7F"]:
        names_field(wire.post(f"/user_management/users/{path}/auth_factors", {"type": "totp"}), "user_id")
        names_field(wire.get(f"/user_management/users/{path}/auth_factors"), "user_id")


def test_w2_255_characters_are_counted_as_characters(wire, api):
    assert api.enroll("generic_otp", user_id="é" * 255)["user_id"] == "é" * 255
    names_field(wire.post("/auth/factors/enroll", {"type": "generic_otp", "user_id": "é" * 256}), "user_id")


def test_w2_user_ids_compare_byte_for_byte_after_one_decoding(api):
    """F22: no spelling of a user's id is another user's."""
    ids = {spelling: api.enroll("generic_otp", user_id=spelling)["id"] for spelling in ["Alice", "alice", "%41lice"]}
    assert [factor["id"] for factor in api.list("%41lice")["data"]][:1] == [ids["Alice"]]
    assert [factor["id"] for factor in api.list("alice")["data"]][:1] == [ids["alice"]]
    assert [factor["id"] for factor in api.list("%2541lice")["data"]][:1] == [ids["%41lice"]]


def test_w2_an_empty_user_id_in_a_body_is_absent(api):
    assert "user_id" not in api.enroll("generic_otp", user_id="")


def test_w2_a_user_id_of_the_wrong_type_is_refused(wire):
    answer = wire.post("/auth/factors/enroll", {"type": "generic_otp", "user_id": 7})
    exactly(answer, invalid(("user_id", "user_id must be a string")))
