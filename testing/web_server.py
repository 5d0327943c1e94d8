"""A web server on this machine that fails as a test tells it to."""

import contextlib
import http.server
import re
import threading
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
        range_shift: Bytes between the requested start of a part and the start
            of the part that the server sends.
        sends_length: Whether answers announce their size.
        requests: List of the requests so far, with the status of the answers.
        url: Address of the server, without a slash at its end.
    """

    def __init__(self, files):
        self.files = files
        self.cuts = []
        self.statuses = []
        self.validators = {"ETag": '"1"'}
        self.honours_range = True
        self.range_shift = 0
        self.sends_length = True
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
        status, start = 200, 0
        if content is None:
            status = 404
        elif self.statuses:
            status = self.statuses.pop(0)
        elif (
            asked
            and self.honours_range
            and condition in (None, *self.validators.values())
        ):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            start += self.range_shift
            status = 206 if start < len(content) else 416
        self.requests.append(Request(handler.path, asked, condition, status))
        handler.send_response(status)
        if status not in (200, 206):
            handler.end_headers()
            return
        for name, value in self.validators.items():
            handler.send_header(name, value)
        if status == 206:
            handler.send_header(
                "Content-Range",
                f"bytes {start}-{len(content) - 1}/{len(content)}",
            )
        if self.sends_length:
            handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else len(content)
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(content[start:end])
