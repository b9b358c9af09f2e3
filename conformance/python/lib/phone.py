"""The user's side: an authenticator app (oathtool), a camera (zbarimg) and a screen to hold it to."""

import base64
import io
import itertools
import subprocess
import tempfile
from datetime import datetime, timedelta, timezone

from PIL import Image


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip("\n")


def _at(moment):
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def totp(secret, at=None, later=0):
    """The code an app shows `at` a moment (now, if none is given), `later` seconds on."""
    moment = (at or datetime.now(timezone.utc)) + timedelta(seconds=later)
    return run("oathtool", "--totp", "-b", "--now", _at(moment), secret)


def wrong_totps(secret, at=None):
    """Codes that no step near the moment has, without end and each another."""
    start = (at or datetime.now(timezone.utc)) - timedelta(seconds=120)
    near = run("oathtool", "--totp", "-b", "-w", "8", "--now", _at(start), secret).split("\n")
    return wrong_but(*near)


def wrong_but(*codes):
    """Well-formed codes other than these, without end and each another."""
    return (code for code in map("{:06}".format, itertools.count()) if code not in codes)


def picture(data_url):
    """The PNG's bytes behind a data URL."""
    head, _, data = data_url.partition(",")
    assert head == "data:image/png;base64", head
    return base64.b64decode(data, validate=True)


def scan(png):
    """What a camera reads in a picture."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(png)
        file.flush()
        return run("zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", file.name)


def on_page(png, colour):
    """The same picture as a web page of that colour shows it, with space around."""
    code = Image.open(io.BytesIO(png)).convert("RGBA")
    page = Image.new("RGBA", (code.width + 160, code.height + 160), colour)
    page.alpha_composite(code, (80, 80))
    shown = io.BytesIO()
    page.convert("RGB").save(shown, "PNG")
    return shown.getvalue()
