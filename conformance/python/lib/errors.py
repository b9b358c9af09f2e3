"""The bodies of W5, byte for byte."""

import json


def body(message, code, **more):
    return json.dumps({"message": message, "code": code, **more}, ensure_ascii=False, separators=(",", ":")).encode()


def invalid(*pairs):
    """422 with these (field, sentence) pairs, in this order."""
    errors = [{"field": field, "code": sentence, "message": sentence} for field, sentence in pairs]
    return 422, body("Validation failed", "invalid_request_parameters", errors=errors)


def no_factor(id):
    return 404, body(f"Authentication Factor not found: '{id}'.", "entity_not_found", entity_id=id)


def no_challenge(id):
    return 404, body(f"Authentication Challenge not found: '{id}'.", "entity_not_found", entity_id=id)


def no_route(method, path):
    return 404, body(f"Cannot {method} {path}", "route_not_found")


def bad_phone(shown):
    return 422, body(f"Phone number is invalid: '{shown}'", "invalid_phone_number")


def verified(id):
    return 422, body(
        f"The authentication challenge '{id}' has already been verified.",
        "authentication_challenge_previously_verified",
    )


def expired(id):
    return 422, body(f"The authentication challenge '{id}' has expired.", "authentication_challenge_expired")


UNAUTHORIZED = 401, b'{"message":"Unauthorized"}'
NOT_JSON = 400, body("The request body is not valid JSON.", "bad_request")
DUPLICATE_KEY = 400, body("The request body has a duplicate key.", "bad_request")
WRONG_METHOD = 405, body("Method not allowed.", "method_not_allowed")
SPENT = 400, body("Too many attempts. Create a new challenge.", "one_time_code_too_many_attempts")
STOPPED = 429, body(
    "Too many failed verification attempts. This factor must be reset.", "too_many_failed_verification_attempts"
)


def locked(seconds):
    return 429, body(
        "Too many failed verification attempts.", "too_many_failed_verification_attempts", retry_after=seconds
    )


def exactly(answer, expected):
    """The answer's status and bytes are these."""
    assert (answer.status, answer.bytes) == expected


def names_field(answer, field):
    """422 validation whose only error is about this field; the sentence starts with its name."""
    assert answer.status == 422, answer
    found = answer.json
    assert list(found) == ["message", "code", "errors"]
    assert (found["message"], found["code"]) == ("Validation failed", "invalid_request_parameters")
    assert [error["field"] for error in found["errors"]] == [field], answer
    for error in found["errors"]:
        assert list(error) == ["field", "code", "message"]
        assert error["code"] == error["message"]
        assert error["code"].startswith(field)
