"""One face for two majors of the SDK: what they renamed, and nothing else."""

from importlib.metadata import version

MAJOR = int(version("workos").split(".")[0])

if MAJOR >= 6:
    from workos import (
        AuthenticationError,
        BadRequestError,
        NotFoundError,
        RateLimitExceededError,
        UnprocessableEntityError,
        WorkOSClient,
    )

    UNAUTHORIZED, NOT_FOUND, INVALID = AuthenticationError, NotFoundError, UnprocessableEntityError
    BAD_REQUEST, LOCKED = BadRequestError, RateLimitExceededError

    class Sdk:
        """`max_retries`: a lock is answered 429, which this major repeats with growing waits unless told not to."""

        def __init__(self, **options):
            self.mfa = WorkOSClient(**options).multi_factor_auth

        def enroll(self, **fields):
            return self.mfa.enroll_factor(**fields)

        def get(self, id):
            return self.mfa.get_factor(id)

        def delete(self, id):
            return self.mfa.delete_factor(id)

        def challenge(self, id, **fields):
            return self.mfa.challenge_factor(id, **fields)

        def verify(self, id, code):
            return self.mfa.verify_challenge(id, code=code)

        def enroll_user(self, user_id, **fields):
            return self.mfa.create_user_auth_factor(user_id, type="totp", **fields)

        def list(self, user_id, **query):
            return self.mfa.list_user_auth_factors(user_id, **query)

        def list_all(self, user_id, **query):
            return list(self.list(user_id, **query).auto_paging_iter())

    WITHOUT_RETRIES = {"max_retries": 0}
else:
    from workos import WorkOSClient
    from workos.exceptions import AuthenticationException, BadRequestException, NotFoundException

    UNAUTHORIZED, NOT_FOUND = AuthenticationException, NotFoundException
    INVALID = BAD_REQUEST = LOCKED = BadRequestException

    class Sdk:
        """This major never repeats a request."""

        def __init__(self, **options):
            client = WorkOSClient(**options)
            self.mfa, self.users = client.mfa, client.user_management

        def enroll(self, **fields):
            return self.mfa.enroll_factor(**fields)

        def get(self, id):
            return self.mfa.get_factor(id)

        def delete(self, id):
            return self.mfa.delete_factor(id)

        def challenge(self, id, **fields):
            return self.mfa.challenge_factor(authentication_factor_id=id, **fields)

        def verify(self, id, code):
            return self.mfa.verify_challenge(authentication_challenge_id=id, code=code)

        def enroll_user(self, user_id, **fields):
            return self.users.enroll_auth_factor(user_id=user_id, type="totp", **fields)

        def list(self, user_id, **query):
            return self.users.list_auth_factors(user_id=user_id, **query)

        def list_all(self, user_id, **query):
            return list(self.list(user_id, **query))

    WITHOUT_RETRIES = {}


def text(enum_or_string):
    return getattr(enum_or_string, "value", enum_or_string)


def moment(value):
    """The newer major hands out times, the older one the text of the wire."""
    from dev import parse

    return parse(value) if isinstance(value, str) else value
