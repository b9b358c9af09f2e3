import itertools

import pytest
from api import Api
from dev import Dev
from wire import Wire


@pytest.fixture(scope="session")
def wire():
    return Wire()


@pytest.fixture(scope="session")
def api(wire):
    return Api(wire)


@pytest.fixture
def dev(wire):
    """The helpers of dev mode, over an empty inbox, with time running again afterwards."""
    dev = Dev(wire)
    dev.reset()
    yield dev
    dev.thaw()


@pytest.fixture
def now(dev):
    """The moment at which the server's time stands still for this test."""
    return dev.freeze()


_numbers = (f"+1415555{n:04}" for n in itertools.count(200))


@pytest.fixture
def number():
    """A phone number that no other test uses."""
    return next(_numbers)


@pytest.fixture
def key():
    """An idempotency key that no other test uses."""
    import uuid

    return str(uuid.uuid4())
