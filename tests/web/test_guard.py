"""Who is let in, and who is not."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from fillbench.web import guard
from fillbench.web.guard import Guard


def client(token=None, names=(), base="http://127.0.0.1:8000"):
    app = FastAPI()
    app.add_middleware(Guard, names=names, token=token)

    @app.get("/")
    def read():
        return {"read": True}

    @app.post("/")
    async def write(request: Request):
        return {"bytes": len(await request.body())}

    return TestClient(app, base_url=base, follow_redirects=False)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_the_page_answers_by_the_names_of_this_machine(base):
    assert client(base=base).get("/").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "10.0.0.1", "127.0.0.1.evil.example", "", "[", "a b"]
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(host):
    assert client().get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8000"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_page_from_elsewhere_is_refused(origin, method):
    assert getattr(client(), method)("/", headers={"Origin": origin}).status_code == 400


def test_the_pages_own_forms_are_let_in():
    assert client().post("/", headers={"Origin": "http://127.0.0.1:8000"}, content=b"abc").json() == {"bytes": 3}


def test_a_body_of_too_many_bytes_is_refused_whether_it_says_so_or_not(monkeypatch):
    monkeypatch.setattr(guard, "MOST_BYTES", 1000)
    assert client().post("/", content=b"a" * 1001).status_code == 413
    assert client().post("/", content=(b"a" * 500 for _ in range(3))).status_code == 413
    assert client().post("/", content=(b"a" * 500 for _ in range(2))).json() == {"bytes": 1000}


def test_a_length_that_is_no_number_is_refused():
    assert client().post("/", headers={"Content-Length": "many"}, content=b"abc").status_code == 413


def test_a_client_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.05)
    import anyio

    sent = []

    async def hanging():
        await anyio.sleep(5)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "root_path": ""}
    scope |= {
        "headers": [(b"host", b"localhost")],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
    }
    anyio.run(client().app, scope, hanging, send)
    assert sent[0]["status"] == 408


def test_with_a_token_whoever_has_it_is_let_in_and_nobody_else():
    page = client("secret", ["box.local"], "http://box.local:8000")
    assert page.get("/").status_code == 401
    assert page.get("/?token=guess").status_code == 401
    assert page.get("/", headers={"Cookie": "fillbench=guess"}).status_code == 401
    let_in = page.get("/?token=secret&first=none")
    assert (let_in.status_code, let_in.headers["location"]) == (303, "/?first=none")
    assert "HttpOnly" in let_in.headers["set-cookie"]
    assert "SameSite=strict" in let_in.headers["set-cookie"]
    assert page.get("/").status_code == 200, "by the cookie"


def test_with_a_token_an_address_will_do_and_a_strange_name_will_not():
    known = {"Cookie": "fillbench=secret"}
    assert client("secret", base="http://192.168.1.7:8000").get("/", headers=known).status_code == 200
    assert client("secret", base="http://evil.example:8000").get("/", headers=known).status_code == 400


def test_every_answer_has_the_policy_and_refusals_too():
    for answer in (client().get("/"), client().get("/", headers={"Host": "evil.example"})):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
