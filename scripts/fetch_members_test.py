"""Tests of fetch_members.py against an index on loopback, with and without ranges, whole and broken."""

import base64
import contextlib
import hashlib
import http.server
import io
import json
import os
import pathlib
import re
import tempfile
import threading
import time
import unittest
import zipfile
from unittest import mock

import fetch_members
import http_ranges
import package_index

FILENAME = "demo-1.0.0-cp311-cp311-manylinux_2_28_x86_64.whl"
LIBRARY = os.urandom(3 << 20)
HEADERS = {f"demo/include/h{number}.h": f"#define H {number}\n".encode() for number in range(300)}


def wheel(library_in_record=LIBRARY):
    """Returns a wheel whose wanted members lie around a large one that nobody wants."""
    members = {"demo/lib/libdemo.so": LIBRARY, "demo/unwanted.bin": bytes(20 << 20), **HEADERS}
    record = ""
    for name, content in members.items():
        recorded = library_in_record if name == "demo/lib/libdemo.so" else content
        digest = base64.urlsafe_b64encode(hashlib.sha256(recorded).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(recorded)}\n"
    members["demo-1.0.0.dist-info/RECORD"] = record.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED if name.endswith(".h") else zipfile.ZIP_STORED)
    return buffer.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """An index with one wheel; counts the bytes of the wheel that it sent."""

    daemon_threads = True

    def __init__(self, content, ranges=True, html=False, sha256=None, failures=0, credentials=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.html, self.failures = content, ranges, html, failures
        self.sha256 = sha256 or hashlib.sha256(content).hexdigest()
        self.credentials = credentials
        self.sent = 0

    @property
    def index(self):
        login = f"{self.credentials}@" if self.credentials else ""
        return f"http://{login}127.0.0.1:{self.server_port}/simple"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.server.credentials
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if wanted and base64.b64decode(given).decode() != wanted:
            self.reply(401, b"", "text/plain")
        elif self.path == "/simple/demo/":
            self.page()
        elif self.path == f"/files/{FILENAME}":
            self.file()
        else:
            self.reply(404, b"", "text/plain")

    def page(self):
        others = ["demo-0.9.0-py3-none-any.whl", "demo-1.0.0.tar.gz", "demo-1.0.0-cp311-cp311-win_amd64.whl"]
        if self.server.html:
            links = [
                f'<a href="../../files/{name}#sha256={self.server.sha256}">{name}</a>' for name in [*others, FILENAME]
            ]
            self.reply(200, "\n".join(links).encode(), "text/html")
            return
        files = [
            {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": self.server.sha256}}
            for name in [*others, FILENAME]
        ]
        self.reply(200, json.dumps({"files": files}).encode(), package_index.JSON_PAGE)

    def file(self):
        content = self.server.content
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not match or not self.server.ranges:
            self.reply(200, content, "application/zip")
            return
        start, end = int(match[1]), int(match[2])
        if end > start and self.server.failures > 0:
            self.server.failures -= 1
            self.reply(503, b"", "text/plain")
            return
        part = content[start : end + 1]
        self.reply(206, part, "application/zip", f"bytes {start}-{end}/{len(content)}")

    def reply(self, status, body, content_type, content_range=None):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may close after the header
            self.server.sent += len(body)
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Options:
    """pip's options where its configuration names an index and nothing else."""

    def __init__(self, index):
        self._index = index

    def index_url(self):
        return self._index

    def get(self, _):
        return ""


class FetchMembers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, content, **options):
        server = Server(content, **options)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def fetch(self, index, source="demo==1.0.0", pattern="demo/lib/libdemo.so"):
        """Runs the program inside this process, with pip's options as in a configuration that names index."""
        arguments = ["--output", str(self.folder / "out"), "--work", str(self.folder / "work"), source, pattern]
        options = mock.patch.object(fetch_members, "PipOptions", lambda: Options(index))
        direct = mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"})
        with options, direct, contextlib.redirect_stderr(io.StringIO()) as stderr:
            status = fetch_members.main([*arguments, "demo/include/*"])
        return status, stderr.getvalue()

    def assert_fetched(self, result):
        self.assertEqual(result, (0, ""))
        found = {
            str(path.relative_to(self.folder / "out")) for path in (self.folder / "out").rglob("*") if path.is_file()
        }
        self.assertEqual(found, {"demo/lib/libdemo.so", *HEADERS})
        self.assertEqual((self.folder / "out/demo/lib/libdemo.so").read_bytes(), LIBRARY)
        self.assertEqual(list((self.folder / "work").iterdir()), [])

    def test_ranges_bring_only_what_is_wanted(self):
        server = self.serve(wheel())
        self.assert_fetched(self.fetch(server.index))
        self.assertLess(server.sent, 12 << 20)

    def test_html_index_with_credentials(self):
        server = self.serve(wheel(), html=True, credentials="user:secret")
        self.assert_fetched(self.fetch(server.index))

    def test_whole_file_without_ranges(self):
        server = self.serve(wheel(), ranges=False)
        self.assert_fetched(self.fetch(server.index))

    def test_failures_are_tried_again(self):
        self.assert_fetched(self.fetch(self.serve(wheel(), failures=1).index))

    def test_interrupted_download_goes_on(self):
        server = self.serve(wheel())
        url = f"http://127.0.0.1:{server.server_port}/files/{FILENAME}"
        path = self.folder / "copy.part"
        with contextlib.closing(http_ranges.SparseCopy(http_ranges.Client(), url, path)) as first:
            first.need(0, 3 << 20)
        server.sent = 0
        with contextlib.closing(http_ranges.SparseCopy(http_ranges.Client(), url, path)) as second:
            self.assertEqual(second.read(3 << 20), server.content[: 3 << 20])
        self.assertLessEqual(server.sent, 1)  # the byte that tells the size

    def test_member_unlike_record(self):
        status, stderr = self.fetch(self.serve(wheel(library_in_record=b"other")).index)
        self.assertEqual(status, 1)
        self.assertRegex(stderr, r"^demo==1.0.0: demo/lib/libdemo.so: sha256=\S+, RECORD says sha256=\S+\n$")
        self.assertEqual(list((self.folder / "work").iterdir()), [])

    def test_whole_file_unlike_index(self):
        _, stderr = self.fetch(self.serve(wheel(), ranges=False, sha256="0" * 64).index)
        self.assertRegex(stderr, rf"^demo==1.0.0: sha256 is [0-9a-f]{{64}}, the index says {'0' * 64}\n$")

    def test_truncated_archive(self):
        result = self.fetch(self.serve(wheel()[: 4 << 20]).index)
        self.assertEqual(result, (1, "demo==1.0.0: File is not a zip file\n"))

    def test_missing_member_and_version(self):
        index = self.serve(wheel()).index
        self.assertEqual(self.fetch(index, pattern="no/*"), (1, "demo==1.0.0: the archive has no member no/*\n"))
        self.assertEqual(
            self.fetch(index, source="demo==2.0.0"),
            (1, "demo==2.0.0: the index has no wheel of demo==2.0.0 for Linux x86-64\n"),
        )

    def test_index_that_refuses(self):
        result = self.fetch("http://127.0.0.1:1/simple")
        self.assertEqual(result, (1, "demo==1.0.0: 127.0.0.1: [Errno 111] Connection refused\n"))


class PipConfiguration(unittest.TestCase):
    def test_environment_before_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[global]\nindex-url = http://file/simple\ncert = /a/b.pem\n")
            file.flush()
            environment = {"PIP_CONFIG_FILE": file.name, "PIP_CERT": "/c.pem", "PIP_INDEX_URL": ""}
            with mock.patch.dict(os.environ, environment):
                options = package_index.PipOptions()
                self.assertEqual(options.index_url(), "http://file/simple")
                self.assertEqual(options.get("cert"), "/c.pem")
                self.assertEqual(options.get("proxy"), "")


class Within(unittest.TestCase):
    def test_silent_source_is_given_up(self):
        started = time.monotonic()
        with self.assertRaisesRegex(http_ranges.SourceError, "^host: no answer$"):
            http_ranges.within(0.1, "http://host/", lambda: time.sleep(60))
        self.assertLess(time.monotonic() - started, 2)


class Runs(unittest.TestCase):
    def test_consecutive_blocks_are_one_request(self):
        self.assertEqual(list(http_ranges.runs([1, 2, 3, 7, 9, 10])), [[1, 2, 3], [7], [9, 10]])
        self.assertEqual([len(run) for run in http_ranges.runs(range(40))], [16, 16, 8])


if __name__ == "__main__":
    unittest.main()
