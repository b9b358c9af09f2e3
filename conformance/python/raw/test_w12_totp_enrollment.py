"""W12: secrets, names, the URI, and the picture of it."""

import io
import re
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from errors import names_field
from phone import on_page, picture, scan, totp
from PIL import Image

USER = "/user_management/users/w12/auth_factors"
SECRET = "JBSWY3DPEHPK3PXP"
NAMES = [
    ("Northwind", "kim@example.org"),
    ("North & Wind / %41 ? #", "kim+mfa@example.org"),
    ("Nord:Wind:", ":kim:"),
    ("~._-@", "a b  c"),
    ("Ångström GmbH", "jürgen"),
    ("日本語", "🙂 x"),
    ("مرحبا", "‏kim"),
    ('"quoted"', "<b>\\'"),
    ("x" * 255, "y"),
    ("x", "y" * 255),
    ("é" * 60, "k"),
]


def part(name):
    return quote(name.replace(":", ""), safe="-._~@")


def test_w12_a_secret_is_32_characters_of_base32_and_never_twice(api):
    secrets = [api.enroll("totp")["totp"]["secret"] for _ in range(50)]
    assert all(re.fullmatch("[A-Z2-7]{32}", secret) for secret in secrets)
    assert len(set(secrets)) == 50


@pytest.mark.parametrize(("issuer", "user"), NAMES)
def test_w12_the_uri_and_its_picture(api, issuer, user):
    enrolled = api.enroll("totp", totp_issuer=issuer, totp_user=user)["totp"]
    assert (enrolled["issuer"], enrolled["user"]) == (issuer, user)
    secret, uri = enrolled["secret"], enrolled["uri"]
    assert uri == f"otpauth://totp/{part(issuer)}:{part(user)}?secret={secret}&issuer={part(issuer)}"
    png = picture(enrolled["qr_code"])
    assert scan(png) == uri
    assert scan(on_page(png, "white")) == uri
    assert scan(on_page(png, "black")) == uri
    assert scan(on_page(png, "#1e1e2e")) == uri


def test_w12_a_reference_reader_of_the_uri_shows_the_codes_we_accept(api, now):
    enrolled = api.enroll("totp", totp_issuer="North & Wind", totp_user="kim:x")
    read = urlsplit(scan(picture(enrolled["totp"]["qr_code"])))
    assert (read.scheme, read.netloc) == ("otpauth", "totp")
    assert unquote(read.path) == "/North & Wind:kimx"
    fields = parse_qs(read.query)
    assert sorted(fields) == ["issuer", "secret"]
    assert fields["issuer"] == ["North & Wind"]
    assert api.verify(api.challenge(enrolled), totp(fields["secret"][0], now)) is True


def test_w12_the_picture_is_black_on_opaque_white_with_a_border_and_of_level_m(api):
    image = Image.open(io.BytesIO(picture(api.enroll("totp")["totp"]["qr_code"])))
    assert image.format == "PNG" and "transparency" not in image.info
    image = image.convert("RGBA")
    assert {colour for _, colour in image.getcolors()} == {(0, 0, 0, 255), (255, 255, 255, 255)}
    modules = image.width // 8 - 8
    assert image.width == image.height == 8 * (modules + 8)
    assert (modules - 17) % 4 == 0

    def dark(column, row):
        square = image.crop(tuple(8 * (4 + each) for each in (column, row, column + 1, row + 1)))
        assert len(square.getcolors()) == 1
        return square.getpixel((0, 0)) == (0, 0, 0, 255)

    assert all(dark(n, 0) and dark(0, n) for n in range(7))
    for row in range(-4, modules + 4):
        for column in range(-4, modules + 4):
            inside = 0 <= row < modules and 0 <= column < modules
            assert inside or not dark(column, row)
    # The first two format bits are 00 for level M; the fixed mask over them makes 10.
    assert (dark(0, 8), dark(1, 8)) == (True, False)


def test_w12_defaults(api):
    lone = api.enroll("totp")
    assert lone["totp"]["user"] == lone["id"]
    assert lone["totp"]["issuer"]
    assert api.enroll("totp", user_id="u-1")["totp"]["user"] == "u-1"
    assert api.enroll_user("u-2")["authentication_factor"]["totp"]["user"] == "u-2"


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u2003", "\u3000", "\u0085", "\u2028"])
def test_w12_names_are_trimmed_of_white_space_and_empty_means_absent(api, space):
    enrolled = api.enroll("totp", totp_issuer=f"{space}North wind{space}", totp_user=f"{space}{space}", user_id="u")
    assert (enrolled["totp"]["issuer"], enrolled["totp"]["user"]) == ("North wind", "u")


def test_w12_a_name_of_colons_only_takes_the_default_in_the_uri(api):
    default = api.enroll("totp")["totp"]["issuer"]
    uri = api.enroll("totp", totp_issuer="::", totp_user=":", user_id="u-3")["totp"]["uri"]
    assert uri.startswith(f"otpauth://totp/{part(default)}:u-3?")
    assert uri.endswith(f"&issuer={part(default)}")


@pytest.mark.parametrize("field", ["totp_issuer", "totp_user"])
@pytest.mark.parametrize("value", ["x" * 256, "a\nb", "a\u0000b", "a\u007fb", 7, [], False])
def test_w12_names_that_do_not_hold(wire, field, value):
    names_field(wire.post("/auth/factors/enroll", {"type": "totp", field: value}), field)
    names_field(wire.post(USER, {"type": "totp", field: value}), field)


def test_w12_a_uri_of_more_than_1024_bytes_is_refused(wire):
    for field in ("totp_issuer", "totp_user"):
        answer = wire.post("/auth/factors/enroll", {"type": "totp", field: "é" * 255})
        assert (answer.status, answer.json["code"]) == (422, "invalid_request_parameters")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (SECRET, SECRET),
        (SECRET.lower(), SECRET),
        ("jbsw y3dp ehpk 3pxp", SECRET),
        (f"{SECRET}======", SECRET),
        ("JBSWY3DPEHPK3PXPJA======", "JBSWY3DPEHPK3PXPJA"),
        (SECRET * 4, SECRET * 4),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
    ],
)
def test_w12_an_imported_secret_is_echoed_tidied_and_works(api, now, given, shown):
    enrolled = api.enroll_user("w12", totp_secret=given)
    factor = enrolled["authentication_factor"]
    assert factor["totp"]["secret"] == shown
    assert f"?secret={shown}&" in factor["totp"]["uri"]
    assert scan(picture(factor["totp"]["qr_code"])) == factor["totp"]["uri"]
    assert api.verify(enrolled["authentication_challenge"], totp(shown, now)) is True


@pytest.mark.parametrize(
    "given",
    [
        SECRET[:15],
        SECRET * 4 + "A",
        "JBSWY3DPEHPK3PX0",
        "JBSWY3DPEHPK3PX1",
        "JBSWY3DPEHPK3PX8",
        "JBSWY3DPEHPK3PX-",
        "JBSWY3DPEHPK3PXÄ",
        SECRET + "A",
        " = = ",
        7,
        [SECRET],
    ],
)
def test_w12_an_imported_secret_that_does_not_hold(wire, given):
    names_field(wire.post(USER, {"type": "totp", "totp_secret": given}), "totp_secret")
