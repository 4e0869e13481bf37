"""The server: a few addresses, GET only, from Python's standard library.

Nothing it does writes to the store. A request must name this server as its host (a page elsewhere whose name was made
to point here is refused), and where it is bound beyond loopback it must know the token.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from ipaddress import ip_address
from socket import AF_INET6
from urllib.parse import parse_qs, urlsplit

from edgeprof.errors import EdgeprofError, UsageError
from edgeprof.serve import pages
from edgeprof.store import Store

_COOKIE = "edgeprof_token"
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_TEXTS: dict[str, Callable[[Store, pages.Query], str]] = {
    "/": pages.runs_page,
    "/side": pages.side_by_side_page,
    "/history": pages.history_page,
    "/report": pages.report_page,
    "/live": lambda store, _: pages.live_fragment(store),
    "/api/runs": pages.runs_json,
    "/api/run": pages.run_json,
}
_FILES = {
    "/page.css": ("edgeprof.report.html", "page.css", "text/css"),
    "/page.js": ("edgeprof.report.html", "page.js", "text/javascript"),
    "/serve.css": ("edgeprof.serve", "serve.css", "text/css"),
    "/serve.js": ("edgeprof.serve", "serve.js", "text/javascript"),
}
# The report brings a policy of its own, which allows its style and script by hash and nothing else.
_OWN_POLICY = ("/report",)


@dataclass(frozen=True, slots=True)
class Bound:
    """A server that listens.

    Attributes:
        url: Where to open it, with the token if it needs one.
        server: Itself; `serve_forever` and `shutdown` as always.
    """

    url: str
    server: ThreadingHTTPServer


def bind(store: Store, host: str, port: int, *, with_token: bool = False) -> Bound:
    """Listen; beyond loopback a token is made, without which nothing is shown.

    Args:
        store: What to show.
        host: An address of this machine.
        port: 0 for any that is free.
        with_token: Ask for a token on loopback too.

    Raises:
        UsageError: It cannot be bound.
    """
    token = secrets.token_urlsafe(24) if with_token or not is_loopback(host) else None
    kind = _Ipv6Server if ":" in host else ThreadingHTTPServer
    try:
        server = kind((host, port), _handler(store, token, host))
    except OSError as exc:
        hint = "choose another `--port`, or 0 for any that is free; `--host` is an address of this machine"
        raise UsageError(f"cannot listen at {host} port {port}: {exc.strerror or exc}", hint) from exc
    server.daemon_threads = True
    named = f"[{host}]" if ":" in host else host
    url = f"http://{named}:{server.server_address[1]}/"
    return Bound(url if token is None else f"{url}?token={token}", server)


class _Ipv6Server(ThreadingHTTPServer):
    address_family = AF_INET6


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches that address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _handler(store: Store, token: str | None, host: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "edgeprof"
        sys_version = ""
        timeout = 30

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if not self._is_ours():
                self._send(HTTPStatus.MISDIRECTED_REQUEST, pages.error_page("this is another server's name", None))
            elif not self._is_known(query):
                hint = "open the address that `edgeprof serve` printed"
                self._send(HTTPStatus.FORBIDDEN, pages.error_page("this needs the token", hint))
            else:
                self._answer(parts.path, query)

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_args: object) -> None:
            """Say nothing: standard error is the user's."""

        def _is_ours(self) -> bool:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
            return token is not None or name in {"localhost", "127.0.0.1", "::1", host}

        def _is_known(self, query: pages.Query) -> bool:
            if token is None:
                return True
            try:
                cookie = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
            except CookieError:
                cookie = None
            given = [*query.get("token", []), *([cookie.value] if cookie else [])]
            return any(compare_digest(one.encode(), token.encode()) for one in given)

        def _answer(self, path: str, query: pages.Query) -> None:
            if path in _FILES:
                package, name, kind = _FILES[path]
                self._send(HTTPStatus.OK, files(package).joinpath(name).read_text(encoding="utf-8"), kind)
                return
            if path not in _TEXTS:
                self._send(HTTPStatus.NOT_FOUND, pages.error_page(f"there is nothing at {path}", "go back to the list"))
                return
            try:
                text = _TEXTS[path](store, query)
            except EdgeprofError as exc:
                status = HTTPStatus.BAD_REQUEST if isinstance(exc, UsageError) else HTTPStatus.INTERNAL_SERVER_ERROR
                self._send(status, pages.error_page(exc.message, exc.hint))
                return
            kind = "application/json" if path.startswith("/api/") else "text/html"
            self._send(HTTPStatus.OK, text, kind, own_policy=path in _OWN_POLICY)

        def _send(self, status: HTTPStatus, text: str, kind: str = "text/html", *, own_policy: bool = False) -> None:
            data = text.encode("utf-8", errors="replace")
            headers = {
                "Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(data)), "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
            }  # fmt: skip
            if not own_policy:
                headers["Content-Security-Policy"] = _POLICY
            if token is not None and status == HTTPStatus.OK:
                headers["Set-Cookie"] = f"{_COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    return Handler
