"""Sessions of pages, as programs see them; no browser is needed."""

import gzip
import re

import httpx
import pytest


class Visitor(httpx.Client):
    """Keeps cookies as a browser does, and the key of its page as ours does."""

    def sign_in(self, token, **headers):
        """Sign in; returns the answer."""
        answer = self.post("/v1/session", headers={"Authorization": f"Bearer {token}"} | headers)
        self.headers["X-Caxton-Page"] = answer.json()["page_key"]
        return answer


@pytest.fixture
def visit(url):
    """Return somebody who is not signed in yet."""
    with Visitor(base_url=url, timeout=30.0) as client:
        yield client


def test_a_token_is_shown_once_and_a_cookie_from_then_on(visit, token):
    """No script reads it, no other site has it sent, and nothing of the token is in it."""
    answer = visit.sign_in(token("operator", "shop-*"))
    cookie = answer.headers["set-cookie"]

    told = {"role": "operator", "roles": ["viewer", "sender", "operator"], "agents": ["shop-*"], "is_for_all": False}
    assert answer.json().items() >= told.items()
    assert re.fullmatch(r"caxton_\d+=\S+; Path=/v1; Max-Age=43200; HttpOnly; SameSite=Strict", cookie)
    assert token("operator", "shop-*")[3:] not in cookie
    assert visit.get("/v1/session").json().items() < answer.json().items()
    assert visit.get("/v1/agents", params={"name": "shop-0*"}).is_success
    assert visit.get("/v1/stats").status_code == 403


def test_behind_tls_the_cookie_is_for_tls_alone(visit, url, token):
    """The origin of the page says by what the browser came."""
    answer = visit.sign_in(token("viewer"), Origin=url.replace("http:", "https:"))
    assert answer.headers["set-cookie"].endswith("; Secure")


def test_a_session_does_not_lengthen_itself(visit, token):
    """Signing in takes a token, each time."""
    visit.sign_in(token("viewer"))
    assert visit.post("/v1/session").json()["code"] == "TokenMissing"


def test_who_signs_out_has_no_cookie_any_more(visit, token):
    """The browser forgets it."""
    visit.sign_in(token("viewer"))
    assert visit.delete("/v1/session").status_code == 204
    assert (visit.get("/v1/session").json()["code"], len(visit.cookies)) == ("TokenMissing", 0)


def test_other_pages_may_use_no_session(visit, url, token):
    """Neither one of another origin, nor one of another port of this machine, nor a form or a link anywhere."""
    visit.sign_in(token("admin"))
    page = {"X-Caxton-Page": visit.headers["X-Caxton-Page"]}
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in visit.cookies.items())}

    assert httpx.get(f"{url}/v1/session", headers=cookie | page, timeout=60.0).status_code == 200
    assert httpx.post(f"{url}/v1/agents/echo/stop", headers=cookie, timeout=60.0).status_code == 401
    for headers, status in (
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 401),
        ({"Sec-Fetch-Site": "cross-site"}, 401),
        ({"X-Caxton-Page": "A" * 22}, 401),
    ):
        answer = httpx.post(f"{url}/v1/agents/echo/stop", headers=cookie | page | headers, timeout=60.0)
        assert answer.status_code == status, headers


def test_the_files_say_nothing_and_run_nothing_else(url):
    """They are for anybody, small, kept as long as they are the same, and let nothing of others in."""
    page = httpx.get(f"{url}/", timeout=60.0)
    names = re.findall(r'"(/board/[0-9a-f]{16}/[\w.]+)"', page.text)
    policy = page.headers["content-security-policy"]

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script>" not in page.text
    assert httpx.get(f"{url}/", headers={"If-None-Match": page.headers["etag"]}, timeout=60.0).status_code == 304
    for name in names:
        answer = httpx.get(url + name, timeout=60.0)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{url}/board/{'0' * 16}/app.js", timeout=60.0).json()["code"] == "NoSuchRoute"


def test_a_file_is_sent_as_short_as_it_may_be(url):
    """Compressed to who takes that, and as it is to who does not; all together they are no heavy page."""
    folder = re.search(r"/board/[0-9a-f]{16}", httpx.get(f"{url}/", timeout=60.0).text).group()
    names, sizes = {"board.css", "app.js", "icon.svg"}, {}
    while names - sizes.keys():
        name = min(names - sizes.keys())
        with httpx.stream("GET", f"{url}{folder}/{name}", headers={"Accept-Encoding": "gzip"}, timeout=60.0) as answer:
            raw = b"".join(answer.iter_raw())
        plain = httpx.get(f"{url}{folder}/{name}", headers={"Accept-Encoding": "identity"}, timeout=60.0)
        assert gzip.decompress(raw) == plain.content
        sizes[name] = len(raw)
        names |= {*re.findall(r'from "\./([\w.]+)"', plain.text)}

    assert sum(sizes.values()) < 150_000
