"""A config file that changes while the proxy runs."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.declared import HELLO
from tests.e2e.launch import NOWHERE, SERVICE_KEY, Command, free_url, write_config
from tests.e2e.proxy import Proxy, running, serving
from tests.e2e.rewrite import FAILED, RELOADED, config_text, reload, rename, write
from tests.fakes.answers import Sse, says
from tests.fakes.chunks import text_chunks
from tests.fakes.upstream import Upstream

SYSTEM = {"role": "system", "content": "As it was."}
OTHER = {"role": "system", "content": "As it is now."}
SLOW_SECONDS = 0.05
"""Between two lines of somebody who writes slowly."""


@pytest.fixture(params=[False, True], ids=["launcher", "mitmdump"])
async def proxy(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> AsyncIterator[Proxy]:
    """A proxy of its own for each test, which changes what it runs on."""
    settings = {"init_messages": [SYSTEM]}
    async with running(tmp_path, upstream.url, settings, Command(plain=request.param)) as proxy:
        yield proxy


async def system_message(client: Client, upstream: Upstream) -> str:
    """What a chat begins with."""
    upstream.script(says("Hello."))
    assert (await client.chat()).status == 200
    return str(upstream.chats[-1].json["messages"][0]["content"])


@pytest.mark.contract("WK-27", "WK-28")
@pytest.mark.parametrize("change", [write, rename])
async def test_a_changed_file_is_at_work_in_the_next_request(
    proxy: Proxy, client: Client, upstream: Upstream, change: Callable[[Path, str], None]
) -> None:
    assert await system_message(client, upstream) == "As it was."
    change(proxy.folder / "config.yaml", config_text(proxy, init_messages=[OTHER], actions=[HELLO]))
    await proxy.until_written("Configuration reloaded: init_messages, actions")
    assert await system_message(client, upstream) == "As it is now."


@pytest.mark.contract("WK-32")
async def test_an_added_action_is_offered_in_the_next_request(
    proxy: Proxy, client: Client, upstream: Upstream
) -> None:
    await reload(proxy, actions=[HELLO])
    upstream.script(says("Hello."))
    await client.chat()
    assert upstream.chats[-1].json["tools"][0]["function"]["name"] == "actions__hello"


@pytest.mark.contract("WK-29", "BX-15")
async def test_a_bad_file_changes_nothing_and_is_told_with_its_place(
    proxy: Proxy, client: Client, stranger: Client, upstream: Upstream
) -> None:
    write(proxy.folder / "config.yaml", "upstream_base_url: [\n")
    await proxy.until_written(FAILED)
    assert f"{proxy.folder}/config.yaml:2:" in proxy.output
    assert await system_message(client, upstream) == "As it was."
    assert (await stranger.get("/v1/models")).status == 401
    told = (await client.get("/healthz")).json["config"]
    assert told["ok"] is False and "config.yaml:2:" in told["error"]
    assert (await stranger.get("/healthz")).json["config"] == {"ok": False, "error": "error"}
    rename(proxy.folder / "config.yaml", "unknown_key: 1\n")
    await proxy.until_written(FAILED, 2)
    assert RELOADED not in proxy.output


async def test_a_mended_file_is_at_work_and_health_is_well_again(
    proxy: Proxy, client: Client, upstream: Upstream
) -> None:
    good = config_text(proxy, init_messages=[OTHER])
    write(proxy.folder / "config.yaml", "nonsense: 1\n")
    await proxy.until_written(FAILED)
    write(proxy.folder / "config.yaml", good)
    await proxy.until_written(RELOADED)
    assert (await client.get("/healthz")).json["config"] == {"ok": True, "error": None}
    assert await system_message(client, upstream) == "As it is now."


@pytest.mark.contract("WK-30")
async def test_a_deleted_file_leaves_the_key_in_force(upstream: Upstream, tmp_path: Path) -> None:
    # The variable alone would do for a config, one without a key (A4 #39).
    command = Command(environ={"WERKZEUGKOPPLER_UPSTREAM_BASE_URL": upstream.url})
    async with (
        running(tmp_path, upstream.url, {"init_messages": [SYSTEM]}, command) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        (tmp_path / "config.yaml").unlink()
        await proxy.until_written("is gone")
        assert (await Client(session).get("/v1/models")).status == 401
        assert await system_message(Client(session, SERVICE_KEY), upstream) == "As it was."
        write(tmp_path / "config.yaml", "")
        await proxy.until_written("is empty")
        assert (await Client(session).get("/v1/models")).status == 401


async def test_a_file_that_is_half_written_is_no_error(
    proxy: Proxy, client: Client, upstream: Upstream
) -> None:
    text = (
        config_text(proxy, init_messages=[OTHER], service_api_key=None) + f"service_api_key: {SERVICE_KEY}\n"
    )
    with (proxy.folder / "config.yaml").open("w", encoding="utf-8") as file:
        for line in text.splitlines(keepends=True):
            file.write(line)
            file.flush()
            await anyio.sleep(SLOW_SECONDS)
    await proxy.until_written(RELOADED)
    assert FAILED not in proxy.output and "service_api_key" not in proxy.output.partition(RELOADED)[2]
    assert await system_message(client, upstream) == "As it is now."


async def test_the_same_content_is_no_news(proxy: Proxy, client: Client) -> None:
    rename(proxy.folder / "config.yaml", "# the same\n" + config_text(proxy))
    assert (await client.get("/v1/models")).status == 200
    told = await reload(proxy, max_tool_loops=3)
    assert told.count("onfiguration") == 1 and "Configuration reloaded: max_tool_loops\n" in told


@pytest.mark.contract("WK-31", "BX-15")
async def test_a_stream_that_is_running_ends_under_the_config_it_began_with(
    proxy: Proxy, client: Client, upstream: Upstream
) -> None:
    gate = anyio.Event()
    upstream.script(Sse(text_chunks("one ", gate, "two")))
    async with client.streamed() as stream:
        await stream.until("one ")
        await reload(proxy, init_messages=[OTHER], upstream_read_timeout_seconds=7)
        assert await system_message(client, upstream) == "As it is now."
        await reload(proxy, init_messages=[SYSTEM])
        gate.set()
        rest = await stream.rest()
    assert (rest.text, rest.finishes, rest.done) == ("two", ["stop"], 1)


@pytest.mark.contract("WK-31")
async def test_a_stream_that_is_retrying_holds_no_reload_up(
    proxy: Proxy, client: Client, upstream: Upstream
) -> None:
    away = {"upstream_base_url": NOWHERE, "upstream_connect_retries": -1, "upstream_retry_interval_ms": 20}
    await reload(proxy, **away)
    async with client.streamed() as stream:
        while b"Retrying" not in await stream.event():
            pass
        await reload(proxy, upstream_base_url=upstream.url)
        upstream.script(says("Hello."))
        assert (await client.chat()).status == 200
        while b'"."' not in await stream.event():
            pass  # it goes on under the config it began with


async def test_keys_and_limits_are_those_of_the_new_file(
    proxy: Proxy, client: Client, session: aiohttp.ClientSession
) -> None:
    await reload(proxy, service_api_key="sk-the-next-one", max_request_bytes=64)
    assert (await client.get("/v1/models")).status == 401
    assert (await Client(session, "sk-the-next-one").chat("x" * 100)).status == 413


async def test_the_upstream_and_its_key_are_those_of_the_new_file(
    proxy: Proxy, client: Client, upstream: Upstream
) -> None:
    async with Upstream.serving() as second:
        await reload(proxy, upstream_base_url=second.url, upstream_api_key="sk-second")
        second.script(says("From the second."))
        assert "From the second." in (await client.chat()).body.decode()
    assert second.chats[0].header("authorization") == "Bearer sk-second"
    assert not upstream.chats


async def test_a_new_address_takes_a_restart_and_says_so(upstream: Upstream, tmp_path: Path) -> None:
    async with running(tmp_path, upstream.url, {}) as proxy:
        told = await reload(proxy, service_base_url=free_url())
        await proxy.until_written("service_base_url takes effect with a restart")
        assert "Configuration reloaded: service_base_url" in told


async def test_the_key_stays_where_others_reach_it(upstream: Upstream, tmp_path: Path) -> None:
    url = free_url()
    everywhere = {"service_base_url": url.replace("127.0.0.1", "0.0.0.0"), "upstream_base_url": upstream.url}
    config = write_config(tmp_path, everywhere)
    async with (
        serving(tmp_path, url, Command().line(config, 0)) as proxy,
        aiohttp.ClientSession(url) as session,
    ):
        # The new address is harmless, but the old one is where it listens until a restart.
        write(config, config_text(proxy, service_base_url=url, service_api_key=None))
        await proxy.until_written(FAILED)
        assert (await Client(session).get("/v1/models")).status == 401


async def test_traces_go_where_the_new_file_says(proxy: Proxy, client: Client, upstream: Upstream) -> None:
    elsewhere = proxy.folder / "elsewhere"
    await reload(proxy, traces={"dir": str(elsewhere)})
    await system_message(client, upstream)
    await reload(proxy, traces={"enabled": False})
    assert "proxy_response" in "".join(file.read_text(encoding="utf-8") for file in elsewhere.iterdir())
