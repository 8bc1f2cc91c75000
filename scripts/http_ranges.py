"""Reads parts of a file on a web server and keeps them, so that an interrupted download goes on."""

import base64
import http.client
import io
import netrc
import os
import ssl
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ANSWER_SECONDS = 10  # a server that says nothing for so long at the first contact is given up
STALL_SECONDS = 30  # an open download that brings nothing for so long is opened anew
ATTEMPTS = 5
BLOCK = 1 << 20
BLOCKS_PER_REQUEST = 16
FAILURES = (OSError, http.client.HTTPException)


class SourceError(Exception):
    """A source that cannot be used; the text is one line for the user."""


class Client:
    """HTTP with pip's certificates, proxy and credentials."""

    def __init__(self, certificate="", proxy="", index_url=""):
        context = ssl.create_default_context()
        if certificate:
            context.load_verify_locations(certificate)
        handlers = [urllib.request.HTTPSHandler(context=context)]
        if proxy:
            handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
        self._opener = urllib.request.build_opener(*handlers)
        self._index = urllib.parse.urlsplit(index_url)

    def page(self, url, accept):
        """Returns the body and the content type of a page, within seconds or not at all."""

        def read():
            with self.open(url, {"Accept": accept}, ANSWER_SECONDS) as answer:
                return answer.read(), answer.headers.get("Content-Type", "")

        return within(ANSWER_SECONDS, url, read)

    def size(self, url):
        """Returns the size of a file and whether the server honours ranges, within seconds or not at all."""

        def read():
            with self.open(url, {"Range": "bytes=0-0"}, ANSWER_SECONDS) as answer:
                if answer.status == 206:
                    return int(answer.headers["Content-Range"].rsplit("/", 1)[1]), True
                return int(answer.headers["Content-Length"]), False

        return within(ANSWER_SECONDS, url, read)

    def open(self, url, headers, timeout):
        """Opens a URL; the caller closes the answer."""
        plain, credentials = self._credentials(url)
        if credentials:
            headers = {**headers, "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}
        return self._opener.open(urllib.request.Request(plain, headers=headers), timeout=timeout)

    def _credentials(self, url):
        """Takes user:password out of a URL; else the index's own for its host, else ~/.netrc's."""
        parts = urllib.parse.urlsplit(url)
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        if not parts.username and parts.hostname == self._index.hostname:
            parts = self._index
        if parts.username:
            return plain, urllib.parse.unquote(f"{parts.username}:{parts.password or ''}")
        try:
            login = netrc.netrc().authenticators(parts.hostname or "")
        except (OSError, netrc.NetrcParseError):
            login = None
        return plain, f"{login[0]}:{login[2]}" if login else ""


def within(seconds, url, function):
    """Calls function on a thread of its own: resolving a name knows no time-out."""
    outcome = {}

    def call():
        try:
            outcome["value"] = function()
        except Exception as error:  # noqa: BLE001 (handed to the caller below)
            outcome["error"] = error

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if "value" in outcome:
        return outcome["value"]
    raise SourceError(f"{host(url)}: {reason(outcome.get('error', TimeoutError('no answer')))}")


def host(url):
    return urllib.parse.urlsplit(url).hostname


def reason(error):
    return str(getattr(error, "reason", "") or error or type(error).__name__)


class SparseCopy(io.RawIOBase):
    """A local copy of a remote file that holds the blocks read so far, and reads missing ones when asked.

    The blocks lie at their own offsets in a sparse file; a list of them beside it survives an interrupted run.
    """

    def __init__(self, client, url, path):
        super().__init__()
        self.length, self.ranges = client.size(url)
        self._client, self._url, self._path = client, url, path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._journal = open(f"{path}.blocks", "a+", encoding="ascii")
        self._journal.seek(0)
        self._blocks = {int(line) for line in self._journal if line.endswith("\n")}
        self._position = 0
        os.ftruncate(self._file, self.length)

    def need(self, start, end):
        """Brings the bytes from start to end here."""
        last = min(end, self.length) - 1
        missing = [block for block in range(start // BLOCK, last // BLOCK + 1) if block not in self._blocks]
        if missing and not self.ranges:
            self._fetch_whole()
            return
        for run in runs(missing):
            self._retry(lambda run=run: self._fetch(run))

    def need_all(self):
        """Brings the whole file here."""
        self.need(0, self.length)

    def _fetch(self, run):
        start, end = run[0] * BLOCK, min((run[-1] + 1) * BLOCK, self.length)
        with self._client.open(self._url, {"Range": f"bytes={start}-{end - 1}"}, STALL_SECONDS) as answer:
            data = answer.read()
        if len(data) != end - start:
            raise OSError(f"{len(data)} bytes came instead of {end - start}")
        os.pwrite(self._file, data, start)
        self._done(run)

    def _fetch_whole(self):
        """Reads the file from its beginning, for servers without ranges."""

        def read():
            offset = 0
            with self._client.open(self._url, {}, STALL_SECONDS) as answer:
                while data := answer.read(BLOCK):
                    offset += os.pwrite(self._file, data, offset)
            if offset != self.length:
                raise OSError(f"{offset} bytes came instead of {self.length}")

        self._retry(read)
        self._done(range((self.length + BLOCK - 1) // BLOCK))

    def _done(self, blocks):
        self._blocks.update(blocks)
        self._journal.write("".join(f"{block}\n" for block in blocks))
        self._journal.flush()
        if sys.stderr.isatty():
            print(f"\r{len(self._blocks) * BLOCK / 1e6:.0f} MB", end="\r", file=sys.stderr, flush=True)

    def _retry(self, function):
        for attempt in range(ATTEMPTS):
            try:
                return function()
            except urllib.error.HTTPError as error:
                error.close()
                failure = error
                if error.code < 500 and error.code != 429:  # asking again would not help
                    break
            except FAILURES as error:
                failure = error
            time.sleep(2**attempt)
        raise SourceError(f"{host(self._url)}: {reason(failure)}")

    def discard(self):
        """Removes the copy: it is used up, or its content is wrong."""
        self.close()
        for path in (self._path, f"{self._path}.blocks"):
            os.unlink(path)

    def close(self):
        if not self.closed:
            os.close(self._file)
            self._journal.close()
        super().close()

    def seekable(self):
        return True

    def readable(self):
        return True

    def tell(self):
        return self._position

    def seek(self, offset, whence=io.SEEK_SET):
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.length}[whence]
        return self._position

    def readinto(self, buffer):
        end = min(self._position + len(buffer), self.length)
        if end <= self._position:
            return 0
        self.need(self._position, end)
        data = os.pread(self._file, end - self._position, self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def runs(blocks):
    """Groups ascending numbers into consecutive runs of at most BLOCKS_PER_REQUEST."""
    run = []
    for block in blocks:
        if run and (block != run[-1] + 1 or len(run) == BLOCKS_PER_REQUEST):
            yield run
            run = []
        run.append(block)
    if run:
        yield run
