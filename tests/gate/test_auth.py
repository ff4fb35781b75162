"""Who may ask is decided by the service key alone."""

import hmac

import pytest

from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.gate.auth import check, is_allowed

KEY = "s3crët"


@pytest.mark.parametrize("authorization", [None, "", "Bearer x", "Basic x"])
def test_without_a_key_everyone_may_ask(authorization: str | None) -> None:
    check(authorization, None)
    assert is_allowed(authorization, None)


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer {KEY}", f" BEARER   {KEY} "])
def test_the_key_opens(authorization: str) -> None:
    check(authorization, KEY)
    assert is_allowed(authorization, KEY)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "missing_authorization"),
        ("", "missing_authorization"),
        ("  ", "missing_authorization"),
        (f"Basic {KEY}", "unsupported_auth_scheme"),
        (KEY, "unsupported_auth_scheme"),
        ("Bearer", "invalid_api_key"),
        ("Bearer ", "invalid_api_key"),
        ("Bearer wrong", "invalid_api_key"),
        (f"Bearer {KEY}x", "invalid_api_key"),
        (f"Bearer {KEY[:-1]}", "invalid_api_key"),
        (f"Bearer {KEY.upper()}", "invalid_api_key"),
        ("Bearer \udcff", "invalid_api_key"),
    ],
)
def test_anything_else_is_refused_with_a_code(authorization: str | None, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        check(authorization, KEY)
    assert (caught.value.status, caught.value.code) == (401, code)
    assert caught.value.headers == (("WWW-Authenticate", "Bearer"),)
    assert not is_allowed(authorization, KEY)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(ApiError) as caught:
        check("Bearer guess", KEY)
    assert "guess" not in caught.value.message
    assert KEY not in caught.value.message


@pytest.mark.contract("OW-07")
def test_the_key_is_compared_in_a_time_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    original = hmac.compare_digest

    def noticed(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return original(a, b)

    monkeypatch.setattr(hmac, "compare_digest", noticed)
    assert not is_allowed("Bearer wrong", KEY) and is_allowed(f"Bearer {KEY}", KEY)
    assert compared == [(b"wrong", KEY.encode()), (KEY.encode(), KEY.encode())]
