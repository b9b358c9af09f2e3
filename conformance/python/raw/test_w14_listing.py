"""W14: a user's factors, page by page."""

import uuid

import pytest
from errors import exactly, names_field
from wire import Wire


class Shelf:
    """Seven factors of one user, of every type, oldest first."""

    def __init__(self, api):
        self.api = api
        self.user = f"w14-{uuid.uuid4()}"
        types = ["totp", "sms", "generic_otp", "totp", "totp", "sms", "generic_otp"]
        self.oldest_first = [
            api.enroll(type, user_id=self.user, phone_number="+14155550160")["id"] for type in types
        ]
        self.newest_first = self.oldest_first[::-1]

    def page(self, **query):
        pairs = "&".join(f"{name}={value}" for name, value in query.items())
        answer = self.api.list(self.user, f"?{pairs}")
        assert list(answer) == ["object", "data", "list_metadata"]
        assert answer["object"] == "list"
        assert list(answer["list_metadata"]) == ["before", "after"]
        meta = answer["list_metadata"]
        return [factor["id"] for factor in answer["data"]], meta["before"], meta["after"]


@pytest.fixture(scope="module")
def shelf(api):
    return Shelf(api)


def test_w14_newest_first_ten_by_default(api):
    user = f"w14-{uuid.uuid4()}"
    ids = [api.enroll("generic_otp", user_id=user)["id"] for _ in range(12)]
    page = api.list(user)
    assert [factor["id"] for factor in page["data"]] == ids[:1:-1]
    assert page["list_metadata"] == {"before": None, "after": ids[2]}


def test_w14_factors_are_listed_as_they_are_shown_without_secrets(wire, api, shelf):
    for factor in api.list(shelf.user)["data"]:
        assert factor == wire.get(f"/auth/factors/{factor['id']}").json
        assert list(factor)[:6] == ["object", "id", "created_at", "updated_at", "type", "user_id"]
        if factor["type"] == "totp":
            assert list(factor["totp"]) == ["issuer", "user"]


@pytest.mark.parametrize("order", ["desc", "normal", "asc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_w14_after_walks_everything_once_and_before_walks_back(shelf, order, limit):
    everything = shelf.oldest_first if order == "asc" else shelf.newest_first
    seen, pages, after = [], [], ""
    while after is not None:
        ids, before, after = shelf.page(limit=limit, order=order, after=after)
        assert before == (ids[0] if seen else None)
        seen += ids
        pages.append(ids)
        assert after == (ids[-1] if len(seen) < 7 else None)
    assert seen == everything
    for ids, following in zip(pages, pages[1:]):
        assert shelf.page(limit=limit, order=order, before=following[0])[0] == ids


def test_w14_before_gives_the_factors_immediately_preceding(shelf):
    newest = shelf.newest_first
    assert shelf.page(limit=2, before=newest[5]) == (newest[3:5], newest[3], newest[4])
    assert shelf.page(limit=100, before=newest[5]) == (newest[:5], None, newest[4])
    oldest = shelf.oldest_first
    assert shelf.page(limit=2, order="asc", before=oldest[5]) == (oldest[3:5], oldest[3], oldest[4])


def test_w14_an_empty_page_has_no_cursors(api, shelf):
    nothing = {"object": "list", "data": [], "list_metadata": {"before": None, "after": None}}
    assert api.list(f"nobody-{uuid.uuid4()}") == nothing
    assert shelf.page(after=shelf.oldest_first[0]) == ([], None, None)
    assert shelf.page(before=shelf.newest_first[0]) == ([], None, None)


def test_w14_a_cursor_is_a_position_and_a_deleted_factor_still_pages(api):
    user = f"w14-{uuid.uuid4()}"
    factors = [api.enroll("generic_otp", user_id=user) for _ in range(3)]
    ids = [factor["id"] for factor in factors]
    api.delete(factors[1])
    assert [factor["id"] for factor in api.list(user, f"?after={ids[1]}")["data"]] == [ids[0]]
    assert [factor["id"] for factor in api.list(user, f"?before={ids[1]}")["data"]] == [ids[2]]


def test_f33_a_cursor_of_another_user_pages_own_factors_only(api, shelf):
    foreign = api.enroll("generic_otp", user_id=f"w14-{uuid.uuid4()}")["id"]
    assert shelf.page(limit=100, after=foreign)[0] == shelf.newest_first
    assert shelf.page(limit=100, before=foreign)[0] == []


@pytest.mark.parametrize("query", ["?limit=", "?order=", "?after=", "?before=", "?after=&before=", "?unknown=1", "?"])
def test_w14_an_empty_parameter_is_absent_and_an_unknown_one_ignored(api, shelf, query):
    assert [factor["id"] for factor in api.list(shelf.user, query)["data"]] == shelf.newest_first


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("limit", ["0", "101", "-1", "abc", "1.5", "1e1", "%2B1", "0x1", "99999999999999999999", "%201", "１"]),
        ("order", ["up", "DESC", "ascending", "desc%20"]),
        ("after", ["x", "auth_factor_", "auth_factor_01", "auth_challenge_01M8E81GPAM7T0V3X6Y9A1C5EF"]),
        ("before", ["x", "auth_factor_01m8e81gpam7t0v3x6y9a1c5ef", "auth_factor_81M8E81GPAM7T0V3X6Y9A1C5EF"]),
        ("after", ["auth_factor_01M8E81GPAM7T0V3X6Y9A1C5EI", "01M8E81GPAM7T0V3X6Y9A1C5EF", "%00"]),
    ],
)
def test_w14_a_parameter_that_does_not_hold_is_422_and_named(wire, shelf, field, values):
    for value in values:
        value = value.replace("１", "%EF%BC%91")
        names_field(wire.get(f"/user_management/users/{shelf.user}/auth_factors?{field}={value}"), field)


def test_w14_both_cursors_together_are_422(wire, shelf):
    id = shelf.oldest_first[3]
    answer = wire.get(f"/user_management/users/{shelf.user}/auth_factors?after={id}&before={id}")
    assert (answer.status, answer.json["code"]) == (422, "invalid_request_parameters")
    assert {error["field"] for error in answer.json["errors"]} <= {"after", "before"}


def test_w14_limit_1_and_100_are_inside(shelf):
    assert len(shelf.page(limit=1)[0]) == 1
    assert len(shelf.page(limit=100)[0]) == 7


def test_w14_factors_enrolled_over_either_route_are_the_users(api):
    user = f"w14-{uuid.uuid4()}"
    ids = [api.enroll("totp", user_id=user)["id"], api.enroll_user(user)["authentication_factor"]["id"]]
    assert [factor["id"] for factor in api.list(user)["data"]] == ids[::-1]


def test_w14_equal_times_are_ordered_by_id(api, now):
    user = f"w14-{uuid.uuid4()}"
    ids = [api.enroll("generic_otp", user_id=user)["id"] for _ in range(9)]
    assert [factor["id"] for factor in api.list(user)["data"]] == sorted(ids, reverse=True)


def test_f20_a_known_and_an_unknown_user_are_told_alike_without_a_key(shelf):
    wire = Wire()
    known = wire.get(f"/user_management/users/{shelf.user}/auth_factors", key=None)
    exactly(wire.get("/user_management/users/nobody/auth_factors", key=None), (known.status, known.bytes))
