"""W11: templates, limits, and what is answered when a message does not go out."""

import pytest
from errors import bad_phone, exactly, names_field
from phone import wrong_but

DEFAULT = "Your verification code is {}."


def sent(api, dev, number, body):
    challenge = api.try_challenge(api.enroll("sms", phone_number=number), body)
    assert challenge.status == 201, challenge
    message = dev.messages(to=number)[0]
    assert message["authentication_challenge_id"] == challenge.json["id"]
    assert api.verify(challenge.json, message["code"]) is True
    return message


@pytest.mark.parametrize(
    "template",
    [
        "{{code}}",
        "{{ code }}",
        "Northwind: {{code}} is your code, {{ code }}.",
        "Line one\nline two {{code}}",
        "{{code}} " + "x" * 311,
        "é" * 312 + "{{code}}",
        "{code} ${{code}} <a> 7*7 {{code}}",
        "v1.2 {{code}} a.b 3.5 e. g.",
        "Done. {{code}}",
        "10.0.0 {{code}}",
        "日本語 {{code}}",
    ],
)
def test_w11_a_template_is_filled_in_and_sent_as_plain_text(api, dev, number, template):
    message = sent(api, dev, number, {"sms_template": template})
    filled = template.replace("{{code}}", message["code"]).replace("{{ code }}", message["code"])
    assert message["body"] == filled


@pytest.mark.parametrize("body", [{}, {"sms_template": None}, {"sms_template": ""}])
def test_w11_without_one_the_default_is_sent(api, dev, number, body):
    message = sent(api, dev, number, body)
    assert message["body"] == DEFAULT.format(message["code"])
    assert message["to"] == number


@pytest.mark.parametrize(
    "template",
    [
        "no code",
        "{code}",
        "{{ code}",
        "{{Code}}",
        "{{code}} {{name}}",
        "{{7*7}} {{code}}",
        "{{  }} {{code}}",
        "{{code}}" + "x" * 313,
        "{{code}}\r",
        "{{code}}\t",
        "{{code}}\u0000",
        "{{code}}\u001b[0m",
        "{{code}}\u007f",
        "{{code}} http://a",
        "{{code}} ftp://a",
        "{{code}} www.a",
        "{{code}} WWW.a",
        "{{code}} 10.0.0.1",
        "{{code}} example.com",
        "{{code}} see EXAMPLE.Org now",
        "{{code}}.com",
        "{{code}}.Thanks",
        "a.{{code}}.io",
    ],
)
def test_w11_other_templates_are_refused_and_nothing_is_sent(api, dev, number, template):
    """F58."""
    factor = api.enroll("sms", phone_number=number)
    names_field(api.try_challenge(factor, {"sms_template": template}), "sms_template")
    assert dev.messages(to=number) == []


@pytest.mark.parametrize("template", [7, True, ["{{code}}"], {"a": "{{code}}"}])
def test_w11_a_template_that_is_no_string(api, number, template):
    answer = api.try_challenge(api.enroll("sms", phone_number=number), {"sms_template": template})
    names_field(answer, "sms_template")
    assert answer.json["errors"][0]["code"] == "sms_template must be a string"


def limited(answer, retry_after):
    assert (answer.status, answer.json["code"]) == (429, "sms_challenge_rate_limited"), answer
    assert list(answer.json) == ["message", "code", "retry_after"]
    assert answer.json["retry_after"] == retry_after


def test_w11_a_number_gets_5_messages_in_ten_minutes_and_20_in_a_day_across_factors(api, now, dev, number):
    factors = [api.enroll("sms", phone_number=number) for _ in range(2)]
    for burst in range(4):
        for n in range(5):
            assert api.try_challenge(factors[n % 2]).status == 201
        day_is_full = burst == 3
        limited(api.try_challenge(factors[0]), 86_400 - 3 * 600 if day_is_full else 600)
        if not day_is_full:
            dev.advance(599)
            limited(api.try_challenge(factors[1]), 1)
            dev.advance(1)
    assert len(dev.messages(to=number, limit=100)) == 20
    dev.advance(600)
    limited(api.try_challenge(factors[1]), 86_400 - 4 * 600)
    dev.advance(86_400 - 4 * 600)
    assert api.try_challenge(factors[1]).status == 201


def test_w11_a_refused_challenge_leaves_nothing_behind(api, now, dev, number):
    """It displaces no open challenge either."""
    factor = api.enroll("sms", phone_number=number)
    opened = [api.challenge(factor) for _ in range(5)]
    for _ in range(12):
        assert api.try_challenge(factor).status == 429
    codes = [message["code"] for message in dev.messages(to=number)]
    assert len(codes) == 5
    for challenge, code in zip(opened, reversed(codes)):
        assert api.verify(challenge, code) is True


def test_w11_the_quota_of_the_environment_is_1000_a_day(api, now, dev):
    factors = [api.enroll("sms", phone_number=f"+1212555{n:04}") for n in range(201)]
    for factor in factors[:200]:
        for _ in range(5):
            assert api.try_challenge(factor).status == 201
    answer = api.try_challenge(factors[200])
    assert (answer.status, answer.json["code"]) == (429, "sms_challenge_quota_reached")
    assert list(answer.json) == ["message", "code", "retry_after"]
    assert answer.json["retry_after"] == 86_400
    assert api.try_challenge(api.enroll("generic_otp")).status == 201
    dev.advance(86_400)
    assert api.try_challenge(factors[200]).status == 201


def test_w11_certainly_not_sent_is_503_and_no_challenge_stays_open(api, dev, number):
    factor = api.enroll("sms", phone_number=number)
    earlier = api.challenge(factor)
    code = dev.messages(to=number)[0]["code"]
    dev.fail_sends(1, "refused")
    answer = api.try_challenge(factor)
    assert (answer.status, answer.json["code"]) == (503, "sms_delivery_failed")
    assert api.try_challenge(factor).status == 201
    assert api.verify(earlier, code) is True


def test_w11_a_number_refused_for_good_is_422(api, dev, number):
    factor = api.enroll("sms", phone_number=number)
    dev.fail_sends(1, "rejected_number")
    exactly(api.try_challenge(factor), bad_phone(number))
    assert api.try_challenge(factor).status == 201


def test_w11_an_unknown_outcome_is_201(api, dev, number):
    factor = api.enroll("sms", phone_number=number)
    dev.fail_sends(1, "timeout")
    answer = api.try_challenge(factor)
    assert answer.status == 201
    api.wrong(answer.json, iter(["wrong"] * 5), 5)


def test_w11_failures_are_for_messages_only(api, dev):
    dev.fail_sends(1, "refused")
    challenge = api.challenge(api.enroll("generic_otp"))
    api.wrong(challenge, wrong_but(challenge["code"]), 1)


def test_f48_the_code_of_a_message_is_in_no_answer(wire, api, dev, number):
    factor = api.enroll("sms", phone_number=number, user_id=f"f48-{number}")
    opened = api.try_challenge(factor)
    code = dev.messages(to=number)[0]["code"]
    answers = [
        opened,
        api.try_verify(opened.json, "wrong"),
        api.try_verify(opened.json, code),
        wire.get(f"/auth/factors/{factor['id']}"),
        wire.get(f"/user_management/users/f48-{number.replace('+', '%2B')}/auth_factors"),
    ]
    assert answers[2].json["valid"] is True
    for answer in answers:
        assert f'"{code}"' not in answer.text
