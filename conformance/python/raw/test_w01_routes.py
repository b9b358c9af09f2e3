"""W1: the nine routes, and what lies beside them."""

import pytest
from errors import UNAUTHORIZED, WRONG_METHOD, exactly, no_challenge, no_factor, no_route


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth"),
        ("GET", "/auth/factors"),
        ("POST", "/auth/factors"),
        ("POST", "/auth/factors/enroll/"),
        ("GET", "/auth/challenges/auth_challenge_01"),
        ("POST", "/auth/challenges"),
        ("POST", "/user_management/authenticate"),
        ("POST", "/user_management/users"),
        ("GET", "/user_management/users/u/auth_factors/x"),
        ("POST", "/AUTH/factors/enroll"),
        ("GET", "/countersign/dev/nothing"),
        ("OPTIONS", "/nothing"),
    ],
)
def test_w1_an_unknown_path_is_404_before_the_key_is_looked_at(wire, method, path):
    exactly(wire.send(method, path), no_route(method, path))
    exactly(wire.send(method, path, key=None), no_route(method, path))


def test_w5_the_path_is_echoed_without_its_query_and_cut_at_200(wire):
    exactly(wire.get("/nothing?secret=1"), no_route("GET", "/nothing"))
    long = "/" + "x" * 300
    exactly(wire.get(long), no_route("GET", long[:200]))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/auth/factors/enroll", {"POST", "GET", "HEAD", "DELETE"}),
        ("POST", "/auth/factors/auth_factor_01", {"GET", "HEAD", "DELETE"}),
        ("PATCH", "/auth/factors/auth_factor_01", {"GET", "HEAD", "DELETE"}),
        ("GET", "/auth/factors/auth_factor_01/challenge", {"POST"}),
        ("DELETE", "/auth/challenges/auth_challenge_01/verify", {"POST"}),
        ("DELETE", "/user_management/users/u/auth_factors", {"GET", "HEAD", "POST"}),
        ("OPTIONS", "/auth/factors/auth_factor_01/challenge", {"POST"}),
    ],
)
def test_w1_a_wrong_method_is_405_with_allow_before_the_key_is_looked_at(wire, method, path, allowed):
    for key in ({}, {"key": None}):
        answer = wire.send(method, path, **key)
        exactly(answer, WRONG_METHOD)
        named = {method.strip() for method in answer.headers["allow"].split(",")}
        assert named | {"HEAD"} == allowed | {"HEAD"}


@pytest.mark.parametrize("name", ["enroll", "challenge", "verify"])
def test_w1_the_words_of_other_routes_are_ids_for_get_and_delete(wire, name):
    exactly(wire.get(f"/auth/factors/{name}"), no_factor(name))
    exactly(wire.delete(f"/auth/factors/{name}"), no_factor(name))


def test_w1_the_legacy_paths_are_the_same_doors(wire, api, dev):
    factor = api.enroll("generic_otp")
    opened = wire.post("/auth/factors/challenge", {"authentication_factor_id": factor["id"]})
    assert opened.status == 201
    assert list(opened.json) == [
        "object", "id", "created_at", "updated_at", "expires_at", "code", "authentication_factor_id"
    ]
    challenge = opened.json
    wrong = wire.post(
        "/auth/factors/verify", {"authentication_challenge_id": challenge["id"], "code": f"{int(challenge['code']) ^ 1:06}"}
    )
    assert (wrong.status, wrong.json["valid"]) == (201, False)
    right = wire.post(
        "/auth/factors/verify", {"authentication_challenge_id": challenge["id"], "code": challenge["code"]}
    )
    assert (right.status, right.json) == (201, {"challenge": challenge, "valid": True})


def test_w1_attempts_are_counted_over_both_doors(wire, api):
    """F18: one shared budget."""
    challenge = api.challenge(api.enroll("generic_otp"))
    for door in range(5):
        if door % 2:
            assert api.verify(challenge, "wrong") is False
        else:
            body = {"authentication_challenge_id": challenge["id"], "code": "wrong"}
            assert wire.post("/auth/factors/verify", body).json["valid"] is False
    for answer in (
        api.try_verify(challenge, challenge["code"]),
        wire.post("/auth/factors/verify", {"authentication_challenge_id": challenge["id"], "code": challenge["code"]}),
    ):
        assert (answer.status, answer.json["code"]) == (400, "one_time_code_too_many_attempts")


def test_w1_the_legacy_paths_know_the_same_refusals(wire):
    exactly(wire.post("/auth/factors/challenge", {"authentication_factor_id": "nobody"}), no_factor("nobody"))
    body = {"authentication_challenge_id": "nothing", "code": "123456"}
    exactly(wire.post("/auth/factors/verify", body), no_challenge("nothing"))
    exactly(wire.post("/auth/factors/verify", body, key=None), UNAUTHORIZED)
