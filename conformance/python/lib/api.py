"""The nine routes as short calls, with the checks that make a test's own steps trustworthy."""

from dev import parse


class Api:
    def __init__(self, wire):
        self.wire = wire

    def enroll(self, type="totp", **fields):
        answer = self.wire.post("/auth/factors/enroll", {"type": type, **fields})
        assert answer.status == 201, answer
        return answer.json

    def enroll_user(self, user_id, **fields):
        answer = self.wire.post(f"/user_management/users/{user_id}/auth_factors", {"type": "totp", **fields})
        assert answer.status == 201, answer
        return answer.json

    def try_challenge(self, factor, body=None, **more):
        return self.wire.post(f"/auth/factors/{factor['id']}/challenge", {} if body is None else body, **more)

    def challenge(self, factor, **fields):
        answer = self.try_challenge(factor, fields)
        assert answer.status == 201, answer
        return answer.json

    def try_verify(self, challenge, code, **more):
        return self.wire.post(f"/auth/challenges/{challenge['id']}/verify", {"code": code}, **more)

    def verify(self, challenge, code):
        answer = self.try_verify(challenge, code)
        assert answer.status == 201, answer
        return answer.json["valid"]

    def wrong(self, challenge, codes, times):
        """Hands in that many wrong codes; each is counted."""
        for _ in range(times):
            assert self.verify(challenge, next(codes)) is False

    def delete(self, factor):
        answer = self.wire.delete(f"/auth/factors/{factor['id']}")
        assert answer.status == 204, answer

    def list(self, user_id, query=""):
        answer = self.wire.get(f"/user_management/users/{user_id}/auth_factors{query}")
        assert answer.status == 200, answer
        return answer.json

    def lock(self, factor):
        """Ten wrong codes over two challenges of a generic_otp factor; the second is still open, but used up."""
        from phone import wrong_but

        for _ in range(2):
            challenge = self.challenge(factor)
            self.wrong(challenge, wrong_but(challenge.get("code")), 5)


def created(thing):
    return parse(thing["created_at"])


def expires(challenge):
    return parse(challenge["expires_at"])
