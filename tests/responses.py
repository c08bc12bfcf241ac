"""Every way in which an app can respond, read by h11 as the strict client: no server may lose the framing.

No body behind a response to HEAD, of 204 and 304; never more of it than Content-Length says; and on a connection that
goes on, the next response begins where this one ends.
"""

from __future__ import annotations

import itertools
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import h11

from tests.containers.support.answering_app import BODY, FAILING, WAYS

_DEADLINE_SECONDS = 60.0
_AT_ONCE = 8
HOST = ("Host", "x")
#: Of another version, which must not rub off on the response before it.
NEXT = b"GET /answer/list/10/200 HTTP/1.0\r\nHost: x\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """A request, and whether the next one is sent along with it or behind its response."""

    method: str
    how: str
    length: str
    status: str
    http: str
    pipelined: bool

    @property
    def request(self) -> bytes:
        target = f"/answer/{self.how}/{self.length}/{self.status}"
        return f"{self.method} {target} HTTP/{self.http}\r\nHost: x\r\n\r\n".encode()

    @property
    def bodiless(self) -> bool:
        return self.method == "HEAD" or self.status != "200"

    @property
    def body(self) -> bytes:
        """What of the body may arrive."""
        sent = b"" if self.bodiless or self.how == "nothing" else BODY
        return sent if self.length == "none" else sent[: int(self.length)]

    @property
    def cut(self) -> bool:
        """The app has less than it said: the connection must end behind it, so that the client notices."""
        return not self.bodiless and self.length != "none" and len(self.body) < int(self.length)


CASES = [
    Case(*values)
    for values in itertools.product(
        ("GET", "HEAD"), WAYS, ("none", "10", "4", "0", "15"), ("200", "204", "304"), ("1.1", "1.0"), (True, False)
    )
    if values[-2:] != ("1.0", True)  # it asks to close
]
#: Ways in which the app fails before anything was sent: the connection ends with the error page.
FAILS = ("raise", *FAILING)


class Client:
    """One connection; what it reads goes to h11 in each of its roles."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address, _DEADLINE_SECONDS)
        self.reader = h11.Connection(h11.CLIENT)

    def next_event(self) -> object:
        while (event := self.reader.next_event()) is h11.NEED_DATA:
            try:
                self.reader.receive_data(self.sock.recv(65536))
            except ConnectionResetError:  # it closed with a request unread
                self.reader.receive_data(b"")
        return event

    def response(self, method: str) -> tuple[h11.Response, bytes, bool]:
        """The next one: its header, its body, and whether it was cut."""
        self.reader.send(h11.Request(method=method, target="/", headers=[HOST]))
        self.reader.send(h11.EndOfMessage())
        header = self.next_event()
        assert isinstance(header, h11.Response), header
        body = b""
        while True:
            try:
                event = self.next_event()
            except h11.RemoteProtocolError as error:
                assert "without sending complete message" in str(error), error
                return header, body, True
            if isinstance(event, h11.EndOfMessage):
                return header, body, False
            assert isinstance(event, h11.Data), event
            body += bytes(event.data)

    def rest(self) -> bytes:
        """All that comes until the server closes, behind a response that ended the connection."""
        rest = self.reader.trailing_data[0]
        try:
            while data := self.sock.recv(65536):
                rest += data
        except ConnectionResetError:
            pass
        return rest


def kept(address: tuple[str, int], case: Case) -> bool:
    """Whether the connection went on behind the response; AssertionError where it is not what it must be."""
    client = Client(address)
    with client.sock:
        client.sock.sendall(case.request + (NEXT if case.pipelined else b""))
        header, body, cut = client.response(case.method)
        assert header.status_code == int(case.status), header
        assert (body, cut) == (case.body, case.cut)
        names = [name for name, _ in header.headers]
        if case.status == "204":
            assert b"content-length" not in names
        if case.bodiless or case.http == "1.0":
            assert b"transfer-encoding" not in names
        if cut or client.reader.their_state is not h11.DONE:
            assert client.rest() == b""
            return False
        client.reader.start_next_cycle()
        if not case.pipelined:
            client.sock.sendall(NEXT)
        header, body, cut = client.response("GET")
        assert (header.status_code, body, cut) == (200, BODY, False)
        assert client.rest() == b""
        return True


def fails(address: tuple[str, int], how: str) -> None:
    """No request that came along is answered behind an error page."""
    client = Client(address)
    with client.sock:
        client.sock.sendall(b"GET /answer/%s/none/200 HTTP/1.1\r\nHost: x\r\n\r\n" % how.encode() + NEXT)
        header, _, _ = client.response("GET")
        assert (header.status_code, client.rest()) == (500, b""), how


def judge(address: tuple[str, int], keeps_alive: bool) -> None:
    """All cases, some connections at a time; every fault at once."""
    for how in FAILS:
        fails(address, how)

    def one(case: Case) -> tuple[Case, str, bool]:
        try:
            return case, "", kept(address, case)
        except (AssertionError, OSError, h11.RemoteProtocolError) as error:
            return case, f"{type(error).__name__}: {error}", False

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(one, CASES))
    assert [(case, fault) for case, fault, _ in results if fault] == []
    went_on = sum(kept for _, _, kept in results)
    assert went_on > len(CASES) / 3 if keeps_alive else went_on == 0, went_on
