"""What the server refuses, and whom it does not listen to for ever."""

import asyncio
import json
import socket
import struct

import httpx
import pytest

from scripts.web import annotator, guard, server
from scripts.web.checks import Limits

from .conftest import LIMITS, waiting_for

JSON = {"content-type": "application/json"}


def one_line(response: httpx.Response, status: int) -> str:
    """Return the message of a refusal, which is one line of JSON with the headers of every answer."""
    assert response.status_code == status, response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in response.headers["content-security-policy"]
    assert "access-control-allow-origin" not in response.headers
    (detail,) = response.json().values()
    assert isinstance(detail, str) and "\n" not in detail
    return detail


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"tex', "The body is not JSON."),
        (b'{"text": 5}', "text.str: Input should be a valid string."),
        (b'{"text": "secret", "colour": 1}', "colour: Extra inputs are not permitted."),
        (b"[]", "Input should be a valid dictionary or object"),
        (b'{"text": ["a", "b\\ud800"], "pipeline": "both"}', "Text 2 has half of a surrogate pair"),
        (b'{"text": "secret"}', "Name a pipeline; there are: both, several."),
        (b'{"text": ["a", null]}', "text"),
        (json.dumps({"text": "x" * 5001, "pipeline": "both"}).encode(), "Text 1 has 5,001 characters"),
        (json.dumps({"text": ["x"] * 301, "pipeline": "both"}).encode(), "301 texts; a request can"),
        (b"\xff\xfe", "The body is not JSON."),
    ],
)  # fmt: skip
def test_wrong_requests_are_refused_in_one_line(served, body, message):
    detail = one_line(served.client.post("/annotate", content=body, headers=JSON), 422)
    assert message in detail and "secret" not in detail


def test_a_body_nested_too_deeply_is_refused(served):
    body = b"[" * 200_000
    one_line(served.client.post("/annotate", content=body, headers=JSON), 400)


def test_an_unknown_pipeline_is_refused(served):
    assert "No such pipeline" in one_line(served.annotate("x", "others"), 404)


def test_a_body_that_is_too_large_is_refused_and_others_are_served(served):
    large = b"x" * 50_000_000
    wanted = f"The request has more than {LIMITS.body_bytes:,} bytes."
    for content in (large, (large[n : n + 65536] for n in range(0, len(large), 65536))):
        response = served.client.post("/annotate", content=content, headers=JSON)
        assert one_line(response, 413) == wanted
        assert served.annotate("Marie", "both").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": ""}, 421),
        ({"host": "[::1"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_requests_on_behalf_of_other_sites_are_refused(served, headers, status):
    one_line(served.client.get("/pipelines", headers=headers), status)


def test_own_addresses_and_named_hosts_and_origins_are_accepted(serve_with):
    served = serve_with(names=["try.example"], origins=["https://app.example"])
    for host in ("127.0.0.1", "localhost:80", "[::1]:8000", "192.168.1.7", "Try.Example"):
        assert served.client.get("/health", headers={"host": host}).status_code == 200
    own = {"host": "localhost:5", "origin": "http://localhost:5"}
    assert served.client.get("/health", headers=own).status_code == 200
    origin = {"origin": "https://app.example"}
    allowed = served.client.get("/health", headers=origin).headers
    assert allowed["access-control-allow-origin"] == "https://app.example"
    asked = {**origin, "access-control-request-method": "POST"}
    asked["access-control-request-headers"] = "content-type"
    assert served.client.options("/annotate", headers=asked).status_code == 200


def connect(served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=30)


def head(served, length: int) -> bytes:
    return (
        f"POST /annotate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def test_a_client_that_sends_its_body_slowly_is_cut_and_others_are_served(served, monkeypatch):
    monkeypatch.setattr(guard, "GRACE", 0.5)
    with connect(served) as slow:
        slow.sendall(head(served, 1000) + b'{"text"')
        assert served.annotate("Marie", "both").status_code == 200
        answer = b"".join(iter(lambda: slow.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408") and b"too slowly" in answer


def test_a_client_that_sends_a_byte_at_a_time_is_cut(served, monkeypatch):
    monkeypatch.setattr(guard, "GRACE", 0.5)
    with connect(served) as slow:
        slow.sendall(head(served, 1_000_000))
        slow.settimeout(0.02)
        answer = b""
        while not answer:
            slow.sendall(b" ")
            try:
                answer = slow.recv(4096)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("start", [b"", b"GET /health HTTP/1.1\r\nHost: loc"])
def test_a_client_that_never_finishes_its_headers_is_cut(served, monkeypatch, start):
    monkeypatch.setattr(server, "WITHIN", 0.3)
    with connect(served) as slow:
        slow.sendall(start)
        assert slow.recv(4096) == b""


def test_a_client_that_sends_for_ever_is_cut_after_its_answer(served, monkeypatch):
    monkeypatch.setattr(server, "WITHIN", 0.3)
    with connect(served) as endless:
        endless.sendall(head(served, 10**12))
        assert endless.recv(4096).startswith(b"HTTP/1.1 413")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                endless.sendall(b"x" * 1000)


def test_two_hundred_killed_connections_leave_nothing_behind(served):
    body = json.dumps({"text": ["Marie Curie à Paris"] * 100, "pipeline": "both"}).encode()
    for _ in range(200):
        with connect(served) as killed:
            killed.sendall(head(served, len(body)) + body)
            # Closed with a reset, as when the process is killed.
            killed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert served.annotate("Marie", "both").status_code == 200

    async def all_dropped() -> None:
        while served.client.get("/health").json()["waiting_chars"]:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(all_dropped(), 30))


def test_too_much_to_do_is_refused_with_the_time_to_ask_again(held, monkeypatch):
    monkeypatch.setattr(annotator, "WAITING_CHARS", 3000)
    served, pipeline = held
    text = "Marie Curie habite à Paris."

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            first = asyncio.create_task(client.post("/annotate", json={"text": [text] * 100}))
            await waiting_for(pipeline, 100 * len(text))
            refused = await client.post("/annotate", json={"text": [text] * 30})
            pipeline.go.set()
            return await first, refused

    answered, refused = asyncio.run(ask())
    assert len(answered.raise_for_status().json()["annotations"]) == 100
    assert "try again later" in one_line(refused, 503)
    assert int(refused.headers["retry-after"]) > 0


def test_an_answer_that_takes_too_long_is_given_up(serve_with, pipelines):
    limits = Limits(texts=2000, chars=5000, seconds=0, file_bytes=1)
    served = serve_with({"both": pipelines["both"]}, limits=limits)
    assert "No answer within 0 seconds" in one_line(served.annotate(["x"] * 2000), 503)
    assert served.client.get("/health").json()["waiting_chars"] == 0


def test_refusals_of_paths_and_methods(served):
    one_line(served.client.get("/nowhere"), 404)
    one_line(served.client.get("/annotate"), 405)
