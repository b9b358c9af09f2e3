"""W10: which phone numbers are taken, and how they are shown."""

import pytest
from errors import bad_phone, exactly


@pytest.mark.parametrize(
    "given",
    [
        "+14155550150",
        "4155550150",
        "14155550150",
        "+1 415 555 0150",
        "(415) 555-0150",
        "415.555.0150",
        "1-415-555-0150",
        "+1(415)555.0150",
        "4 1 5 5 5 5 0 1 5 0",
    ],
)
def test_w10_a_number_is_shown_as_e164(api, given):
    """Ruby sends it without `+`."""
    assert api.enroll("sms", phone_number=given)["sms"] == {"phone_number": "+14155550150"}


@pytest.mark.parametrize(
    "given",
    [
        "+1415555015",
        "+141555501500",
        "415555015",
        "24155550150",
        "+10155550150",
        "+11155550150",
        "+14150550150",
        "+14151550150",
        "0155550150",
        "4151550150",
        "+1415555015x",
        "+1 415 555 0150 ext 5",
        "+1 415 555 0150#5",
        "++14155550150",
        "1+4155550150",
        "4155550150+",
        "+1 415/555/0150",
        "+1_415_555_0150",
        "+",
        "1",
        "-",
        "call me",
        "+１4155550150",
        "＋14155550150",
        "+1415555015٠",
        "+1415555\u00a00150",
        "+1415555\n0150",
        "+1415555\t0150",
        "1234567",
        "1" * 16,
        "+442071838750",
        "442071838750",
        "+4930123456",
    ],
)
def test_w10_anything_else_is_refused(wire, given):
    """Other countries too: the setting `sms_allowed_prefixes` is `+1`."""
    shown = "".join(letter for letter in given if letter >= " ")
    exactly(wire.post("/auth/factors/enroll", {"type": "sms", "phone_number": given}), bad_phone(shown))


def test_w5_a_refused_number_is_echoed_without_control_characters_and_cut_at_32(wire):
    given = "+1\n" + "9" * 60
    answer = wire.post("/auth/factors/enroll", {"type": "sms", "phone_number": given})
    exactly(answer, bad_phone("+1" + "9" * 30))


def test_w10_nothing_is_enrolled_by_a_refusal(wire, api, number):
    user = f"w10-{number}"
    body = {"type": "sms", "phone_number": "+442071838750", "user_id": user}
    assert wire.post("/auth/factors/enroll", body).status == 422
    assert api.list(user)["data"] == []
