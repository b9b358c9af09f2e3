"""The whole path, as an application with this SDK walks it: W1, W3, W5, W8, W9, W12, W13 and W14 of the wire contract.

The client is made the guide's way: no key, client id or address in the code; WORKOS_API_KEY, WORKOS_CLIENT_ID and
WORKOS_BASE_URL in the environment.
"""

import re
import uuid

import pytest
from api import Api
from dev import Dev
from phone import on_page, picture, scan, totp, wrong_but, wrong_totps
from sdk import (
    BAD_REQUEST,
    INVALID,
    LOCKED,
    MAJOR,
    NOT_FOUND,
    UNAUTHORIZED,
    WITHOUT_RETRIES,
    Sdk,
    moment,
    text,
)
from wire import Wire

FACTOR_ID = re.compile("auth_factor_[0-9A-HJKMNP-TV-Z]{26}")
CHALLENGE_ID = re.compile("auth_challenge_[0-9A-HJKMNP-TV-Z]{26}")
IMPORTED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

sdk = Sdk()
raw = Api(Wire())
dev = Dev(raw.wire)


def is_factor(factor, type):
    assert factor.object == "authentication_factor"
    assert FACTOR_ID.fullmatch(factor.id)
    assert text(factor.type) == type
    assert moment(factor.created_at) == moment(factor.updated_at)


def refused(error_class, status, code, message, call, *args):
    """The error's very class, since a subclass would pass too, and its fields."""
    with pytest.raises(error_class) as caught:
        call(*args)
    error = caught.value
    assert type(error) is error_class
    assert error.response.status_code == status
    assert error.code == code
    assert error.message == message
    assert uuid.UUID(error.request_id)
    return error


def wrong_then_right(factor_id, challenge, right, wrong):
    assert challenge.object == "authentication_challenge"
    assert CHALLENGE_ID.fullmatch(challenge.id)
    assert challenge.authentication_factor_id == factor_id
    assert (moment(challenge.expires_at) - moment(challenge.created_at)).total_seconds() == 600
    no = sdk.verify(challenge.id, wrong)
    assert no.valid is False
    assert no.challenge.code is None
    yes = sdk.verify(challenge.id, right)
    assert yes.valid is True
    assert yes.challenge.id == challenge.id
    refused(
        INVALID,
        422,
        "authentication_challenge_previously_verified",
        f"The authentication challenge '{challenge.id}' has already been verified.",
        sdk.verify,
        challenge.id,
        right,
    )
    return yes


def delete_twice(factor_id):
    assert sdk.delete(factor_id) is None
    for call in (sdk.get, sdk.delete):
        refused(
            NOT_FOUND, 404, "entity_not_found", f"Authentication Factor not found: '{factor_id}'.", call, factor_id
        )


def test_totp_enroll_scan_get_challenge_wrong_right_used_delete():
    factor = sdk.enroll(type="totp", totp_issuer="Northwind", totp_user="kim@example.org")
    is_factor(factor, "totp")
    secret = factor.totp.secret
    assert re.fullmatch("[A-Z2-7]{32}", secret)
    assert factor.totp.uri == f"otpauth://totp/Northwind:kim@example.org?secret={secret}&issuer=Northwind"
    png = picture(factor.totp.qr_code)
    assert scan(png) == factor.totp.uri
    assert scan(on_page(png, "#121212")) == factor.totp.uri

    found = sdk.get(factor.id)
    is_factor(found, "totp")
    assert (found.totp.issuer, found.totp.user) == ("Northwind", "kim@example.org")

    challenge = sdk.challenge(factor.id)
    assert challenge.code is None
    wrong_then_right(factor.id, challenge, totp(secret), next(wrong_totps(secret)))
    delete_twice(factor.id)
    refused(
        NOT_FOUND,
        404,
        "entity_not_found",
        f"Authentication Challenge not found: '{challenge.id}'.",
        sdk.verify,
        challenge.id,
        "123456",
    )


def test_sms_the_code_is_in_the_message_and_nowhere_else():
    number = "+14155550123"
    factor = sdk.enroll(type="sms", phone_number=number)
    is_factor(factor, "sms")
    assert factor.sms.phone_number == number
    assert sdk.get(factor.id).sms.phone_number == number

    challenge = sdk.challenge(factor.id, sms_template="Northwind says {{code}}.")
    assert challenge.code is None
    message = dev.messages(to=number, limit=1)[0]
    assert message["authentication_challenge_id"] == challenge.id
    assert message["body"] == f"Northwind says {message['code']}."
    yes = wrong_then_right(factor.id, challenge, message["code"], next(wrong_but(message["code"])))
    assert yes.challenge.code is None
    delete_twice(factor.id)


def test_generic_otp_the_caller_delivers_the_code():
    """Major 5 knows no such factors and stumbles over their enrollment (W13), but can challenge and verify them."""
    if MAJOR >= 6:
        factor = sdk.enroll(type="generic_otp")
        is_factor(factor, "generic_otp")
        is_factor(sdk.get(factor.id), "generic_otp")
        factor_id = factor.id
    else:
        factor_id = raw.enroll("generic_otp")["id"]
    challenge = sdk.challenge(factor_id)
    assert re.fullmatch("[0-9]{6}", challenge.code)
    yes = wrong_then_right(factor_id, challenge, challenge.code, next(wrong_but(challenge.code)))
    assert yes.challenge.code == challenge.code
    sdk.delete(factor_id)


def test_a_user_enrolls_an_imported_secret_and_is_listed_page_by_page():
    user_id = f"user_{uuid.uuid4()}"
    first = sdk.enroll_user(
        user_id, totp_issuer="Northwind", totp_user="kim@example.org", totp_secret=IMPORTED.lower()
    )
    factor = first.authentication_factor
    is_factor(factor, "totp")
    assert factor.user_id == user_id
    assert factor.totp.secret == IMPORTED
    assert scan(picture(factor.totp.qr_code)) == factor.totp.uri
    wrong_then_right(factor.id, first.authentication_challenge, totp(IMPORTED), next(wrong_totps(IMPORTED)))

    oldest_first = [factor.id, *(sdk.enroll_user(user_id).authentication_factor.id for _ in range(3))]
    oldest_first.append(raw.enroll("sms", phone_number="+14155550125", user_id=user_id)["id"])
    newest_first = oldest_first[::-1]

    def ids(page):
        return [factor.id for factor in page.data]

    page = sdk.list(user_id, limit=2)
    assert ids(page) == newest_first[:2]
    assert (page.list_metadata.before, page.list_metadata.after) == (None, newest_first[1])
    following = sdk.list(user_id, limit=2, after=page.list_metadata.after)
    assert ids(following) == newest_first[2:4]
    back = sdk.list(user_id, limit=2, before=following.list_metadata.before)
    assert ids(back) == newest_first[:2]
    assert ids(sdk.list(user_id, order="asc")) == oldest_first
    assert [factor.id for factor in sdk.list_all(user_id, limit=2)] == newest_first
    for listed in sdk.list(user_id).data:
        assert not hasattr(listed.totp, "secret") if text(listed.type) == "totp" else listed.sms.phone_number

    sdk.delete(newest_first[0])
    assert ids(sdk.list(user_id)) == newest_first[1:]
    assert ids(sdk.list(f"user_{uuid.uuid4()}")) == []


def test_a_key_that_does_not_exist_is_401():
    stranger = Sdk(api_key="sk_test_wrong")
    refused(UNAUTHORIZED, 401, None, "Unauthorized", stranger.get, "auth_factor_01")


def test_fields_that_do_not_hold_are_422_and_named():
    error = refused(
        INVALID, 422, "invalid_request_parameters", "Validation failed", lambda: sdk.enroll(type="fax")
    )
    sentence = "type must be a valid enum value"
    assert error.errors == [{"field": "type", "code": sentence, "message": sentence}]
    refused(
        INVALID,
        422,
        "invalid_phone_number",
        "Phone number is invalid: '+1415'",
        lambda: sdk.enroll(type="sms", phone_number="+1415"),
    )


def test_too_many_attempts_are_400_and_a_locked_factor_429_without_a_header():
    factor = raw.enroll("generic_otp")
    first = sdk.challenge(factor["id"])
    for code, _ in zip(wrong_but(first.code), range(5)):
        assert sdk.verify(first.id, code).valid is False
    refused(
        BAD_REQUEST,
        400,
        "one_time_code_too_many_attempts",
        "Too many attempts. Create a new challenge.",
        sdk.verify,
        first.id,
        first.code,
    )
    second = sdk.challenge(factor["id"])
    for code, _ in zip(wrong_but(second.code), range(5)):
        assert sdk.verify(second.id, code).valid is False
    third = sdk.challenge(factor["id"])
    error = refused(
        LOCKED,
        429,
        "too_many_failed_verification_attempts",
        "Too many failed verification attempts.",
        Sdk(**WITHOUT_RETRIES).verify,
        third.id,
        third.code,
    )
    assert "retry-after" not in error.response.headers
