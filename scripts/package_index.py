"""Finds a wheel in the package index that pip is configured for (PEP 503 and PEP 691)."""

import ast
import html.parser
import json
import os
import re
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass

JSON_PAGE = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_PAGE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class NotInIndex(Exception):
    """The index has no such file; the text is one line for the user."""


@dataclass
class Wheel:
    """One wheel of the index."""

    filename: str
    url: str
    sha256: str  # of the whole file; empty where the index gives none


class PipOptions:
    """pip's own settings: the environment first, then its configuration files."""

    def __init__(self):
        listing = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
        )
        if listing.returncode != 0:
            raise NotInIndex("python has no pip: install it (apt-get install python3-pip)")
        self._options = dict(line.split("=", 1) for line in listing.stdout.splitlines() if "=" in line)

    def get(self, name):
        """Returns an option such as index-url, or an empty string."""
        value = os.environ.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            return value
        for section in ("install", "global"):
            if f"{section}.{name}" in self._options:
                return str(ast.literal_eval(self._options[f"{section}.{name}"]))
        return ""

    def index_url(self):
        """Returns the index, which is pip's built-in one where none is configured."""
        configured = self.get("index-url")
        if configured:
            return configured
        from pip._internal.models.index import PyPI  # pip is the only one that knows its default

        return PyPI.simple_url


def find_wheel(client, index_url, name, version):
    """Returns the wheel of name==version for Linux x86-64; any Python's will do, cp311 is preferred."""
    page_url = f"{index_url.rstrip('/')}/{normalized(name)}/"
    body, content_type = client.page(page_url, ACCEPT)
    files = json_files(body, page_url) if "json" in content_type else html_files(body, page_url)
    wheels = [wheel for wheel in files if matches(wheel.filename, version)]
    if not wheels:
        raise NotInIndex(f"the index has no wheel of {name}=={version} for Linux x86-64")
    return min(wheels, key=lambda wheel: ("-cp311-cp311-" not in wheel.filename, wheel.filename))


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def matches(filename, version):
    """Tells whether a wheel is of this version (any local label: +cpu) and runs on Linux x86-64."""
    fields = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(fields) < 5:
        return False
    platform = fields[-1]
    fits = platform == "any" or ("linux" in platform and "x86_64" in platform)
    return fits and fields[1].split("+")[0] == version


def json_files(body, page_url):
    return [
        Wheel(entry["filename"], urllib.parse.urljoin(page_url, entry["url"]), entry["hashes"].get("sha256", ""))
        for entry in json.loads(body)["files"]
    ]


def html_files(body, page_url):
    collector = _Links()
    collector.feed(body.decode("utf-8", "replace"))
    wheels = []
    for href in collector.hrefs:
        url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(page_url, href))
        filename = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1])
        sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
        wheels.append(Wheel(filename, url, sha256))
    return wheels


class _Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.hrefs = []

    def handle_starttag(self, tag, attrs):
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)
