"""A web server on this machine that fails as a test tells it to."""

import contextlib
import http.server
import re
import threading
import time
from collections import namedtuple

__all__ = ["Request", "WebServer"]

Request = namedtuple("Request", "path range if_range status")


class WebServer:
    """Context that runs a web server in a thread.

    Attributes:
        files: Dict of contents by path.
        cuts: List of the numbers of bytes after which the next answers break
            off.
        statuses: List of the errors to answer the next requests with.
        validators: Dict of headers of every answer that identify the version of
            a file.
        honours_range: Whether the server sends a part of a file on request.
        honours_condition: Whether it then heeds the version that is asked for.
        headers: Dict from statuses to dicts of headers, which these answers
            have instead of what the server would send. None leaves one out.
        redirections: Dict of addresses by path.
        in_chunks: Whether content is sent in chunks.
        trailing: Bytes to send after the content again and again, until the
            connection is closed.
        is_slow: Whether the server sends content in small pieces, with pauses.
        is_paused: Whether it waits in each pause until this is False.
        requests: List of the requests so far, with the status of the answers.
        url: Address of the server, without a slash at its end.
    """

    def __init__(self, files):
        self.files = files
        self.cuts = []
        self.statuses = []
        self.validators = {"ETag": '"1"'}
        self.honours_range = True
        self.honours_condition = True
        self.headers = {}
        self.redirections = {}
        self.in_chunks = False
        self.trailing = b""
        self.is_slow = False
        self.is_paused = False
        self.requests = []

    def __enter__(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer._answer(self)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,)
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *args):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, handler):
        content = self.files.get(handler.path)
        asked = handler.headers["Range"]
        condition = handler.headers["If-Range"]
        is_current = condition in (None, *self.validators.values())
        status, start = 200, 0
        if handler.path in self.redirections:
            status = 302
        elif content is None:
            status = 404
        elif self.statuses:
            status = self.statuses.pop(0)
        elif (
            asked
            and self.honours_range
            and (is_current or not self.honours_condition)
        ):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            status = 206 if start < len(content) else 416
        self.requests.append(Request(handler.path, asked, condition, status))
        handler.send_response(status)
        if status == 302:
            handler.send_header("Location", self.redirections[handler.path])
        if status in (200, 206):
            headers = {**self.validators}
            if status == 206:
                last = len(content) - 1
                headers["Content-Range"] = f"bytes {start}-{last}/{last + 1}"
            if self.in_chunks:
                headers["Transfer-Encoding"] = "chunked"
            else:
                headers["Content-Length"] = str(len(content) - start)
            headers.update(self.headers.get(status, {}))
            for name, value in headers.items():
                if value is not None:
                    handler.send_header(name, value)
        handler.end_headers()
        with contextlib.suppress(ConnectionError):
            if status in (200, 206):
                end = start + self.cuts.pop(0) if self.cuts else len(content)
                self._send(handler.wfile, content[start:end])
            while self.trailing:
                self._send(handler.wfile, self.trailing)
            if self.in_chunks and status == 200 and end >= len(content):
                handler.wfile.write(b"0\r\n\r\n")

    def _send(self, file, content):
        size = 20_000 if self.is_slow else 200_000
        for start in range(0, len(content), size):
            piece = content[start : start + size]
            if self.in_chunks:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            file.write(piece)
            if self.is_slow and start + size < len(content):
                time.sleep(0.01)
                while self.is_paused:
                    time.sleep(0.01)
