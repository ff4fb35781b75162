"""How the proxy starts and stops, and what it says when it cannot start."""

import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.declared import HELLO
from tests.e2e.launch import LAUNCHER, NOWHERE, SERVICE_KEY, Command, free_url, write_config
from tests.e2e.proxy import Proxy, ended, running, serving
from tests.fakes.answers import Hang, Sse, calls, says
from tests.fakes.chunks import Call, chunk
from tests.fakes.upstream import Upstream

INIT = [{"role": "system", "content": "From the file."}]


async def chatted(proxy: Proxy, key: str | None = SERVICE_KEY, **fields: Any) -> int:
    """The status of one chat."""
    async with aiohttp.ClientSession(proxy.url) as session:
        return (await Client(session, key).chat(**fields)).status


@pytest.mark.contract("WK-17", "WK-09", "OW-21")
@pytest.mark.parametrize("plain", [False, True], ids=["launcher", "mitmdump"])
async def test_the_named_config_is_used(upstream: Upstream, tmp_path: Path, plain: bool) -> None:
    upstream.script(says("Hello."), says("Hello."))
    async with running(tmp_path, upstream.url, {"init_messages": INIT}, Command(plain=plain)) as proxy:
        assert await chatted(proxy) == 200
        assert await chatted(proxy, stream=True) == 200
    assert [chat.json["messages"][0] for chat in upstream.chats] == INIT * 2


@pytest.mark.contract("OW-67")
async def test_a_start_tells_where_it_is_what_it_has_and_what_to_try(
    upstream: Upstream, tmp_path: Path
) -> None:
    settings = {"actions": [HELLO], "allowed_direct_commands": ["ls", "git *"]}
    async with running(tmp_path, upstream.url, settings) as proxy:
        await proxy.until_written("Try it:")
        await proxy.until_written('\'{"stream": true')
        told = proxy.output
        assert f"listens      {proxy.url}/v1 (with a key)" in told and upstream.url in told
        assert "1 (1 from actions)" in told and "by @@ in a message: ls, git *" in told
        assert "./run.sh inspect --last" in told
        assert f"curl -N {proxy.url}/v1/chat/completions" in told and SERVICE_KEY not in told


@pytest.mark.contract("OW-70")
async def test_commands_work_in_the_folder_that_is_set(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    upstream.script(calls(Call("actions__where")), says("Done."))
    settings = {
        "workdir": str(tmp_path / "project"),
        "actions": [HELLO | {"name": "where", "command": "pwd", "arguments": []}],
        "last_user_message_readers": [{"name": "where", "command": "pwd"}],
        "init_messages": [{"role": "system", "content": "{last_user_message_reader_result:where}"}],
        "allowed_direct_commands": ["pwd"],
    }
    async with running(tmp_path, upstream.url, settings) as proxy:
        assert await chatted(proxy) == 200
        async with aiohttp.ClientSession(proxy.url) as session:
            direct = await Client(session, SERVICE_KEY).chat("@@ pwd")
    messages = upstream.chats[1].json["messages"]
    folder = str(tmp_path / "project")
    assert messages[0]["content"].strip() == folder and folder in messages[-1]["content"]
    assert folder in direct.json["choices"][0]["message"]["content"]


@pytest.mark.contract("OW-21")
async def test_the_upstream_may_be_under_a_path(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(says("Hello."))
    async with running(tmp_path, f"{upstream.url}/some/api", {}) as proxy:
        assert await chatted(proxy) == 200
    assert upstream.chats[0].path == "/some/api/v1/chat/completions"


@pytest.mark.contract("WK-18")
async def test_a_config_that_is_not_named_is_the_one_in_the_folder(
    upstream: Upstream, tmp_path: Path
) -> None:
    url = free_url()
    write_config(tmp_path, {"service_base_url": url, "upstream_base_url": upstream.url})
    async with serving(tmp_path, url, LAUNCHER):
        pass


@pytest.mark.contract("WK-18")
async def test_the_variable_beats_the_config_in_the_folder(upstream: Upstream, tmp_path: Path) -> None:
    url = free_url()
    (tmp_path / "other").mkdir()
    other = write_config(tmp_path / "other", {"service_base_url": url, "upstream_base_url": upstream.url})
    write_config(tmp_path, {"service_base_url": free_url(), "upstream_base_url": upstream.url})
    async with serving(tmp_path, url, LAUNCHER, Command(environ={"WERKZEUGKOPPLER_CONFIG": str(other)})):
        pass


@pytest.mark.contract("WK-18")
async def test_the_command_line_beats_the_variable(upstream: Upstream, tmp_path: Path) -> None:
    command = Command(environ={"WERKZEUGKOPPLER_CONFIG": str(tmp_path / "missing.yaml")})
    async with running(tmp_path, upstream.url, {}, command):
        pass


@pytest.mark.contract("WK-19", "WK-13")
async def test_variables_are_enough(upstream: Upstream, tmp_path: Path) -> None:
    url = free_url()
    upstream.script(says("Hello."))
    environ = {"WERKZEUGKOPPLER_UPSTREAM_BASE_URL": upstream.url, "WERKZEUGKOPPLER_SERVICE_BASE_URL": url}
    async with serving(tmp_path, url, LAUNCHER, Command(environ=environ)) as proxy:
        assert await chatted(proxy, key=None) == 200


@pytest.mark.contract("WK-23")
async def test_a_variable_beats_the_file(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(says("Hello."))
    environ = {
        "WERKZEUGKOPPLER_UPSTREAM_BASE_URL": upstream.url,
        "WERKZEUGKOPPLER_SERVICE_API_KEY": "sk-other",
        "WERKZEUGKOPPLER_UPSTREAM_API_KEY": "sk-another",
    }
    async with running(tmp_path, NOWHERE, {}, Command(environ=environ)) as proxy:
        assert await chatted(proxy) == 401
        assert await chatted(proxy, key="sk-other") == 200
    assert upstream.chats[0].header("authorization") == "Bearer sk-another"


@pytest.mark.contract("WK-13")
async def test_without_a_service_key_everyone_here_may_ask_and_is_warned_of(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(says("Hello."), says("Hello."))
    async with running(tmp_path, upstream.url, {"service_api_key": None}) as proxy:
        assert await chatted(proxy, key=None) == 200
        assert await chatted(proxy, key="any") == 200
        await proxy.until_written("service_api_key")
    assert "any" not in str(upstream.chats[1].headers)


@pytest.mark.contract("WK-22", "WK-24")
async def test_keys_without_a_value_are_as_if_they_were_absent(upstream: Upstream, tmp_path: Path) -> None:
    url = free_url()
    config = write_config(tmp_path, {"service_base_url": url, "upstream_base_url": upstream.url})
    with config.open("a") as file:
        file.write("actions:\nmcp_servers:\ninit_messages:\nlogging:\n")
    command = Command(environ={"WERKZEUGKOPPLER_LOG_LEVEL": "debug"})
    async with serving(tmp_path, url, command.line(config, 0), command):
        pass


@pytest.mark.contract("WK-10", "WK-20", "OW-09", "OW-13", "OW-16")
@pytest.mark.parametrize(
    "settings, told",
    [
        ({"service_base_url": "http://127.0.0.1"}, ["service_base_url", "host", "port"]),
        ({"service_base_url": "http://127.0.0.1:99999"}, ["service_base_url", "port"]),
        ({"service_base_url": "http://0.0.0.0:8080", "service_api_key": None}, ["service_api_key"]),
        ({"max_concurrent_requests": 0}, ["max_concurrent_requests"]),
        ({"upstream_base_ur1": "x"}, ["upstream_base_ur1", "upstream_base_url"]),
        ({"logging": {"levle": "INFO"}}, ["logging.levle", "level"]),
        (
            {"actions": [{"name": "a", "description": "b", "command": "c", "shell": True}]},
            ["actions[0].shell"],
        ),
    ],
)
async def test_a_config_that_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, settings: dict[str, Any], told: list[str]
) -> None:
    config = write_config(
        tmp_path, {"service_base_url": free_url(), "upstream_base_url": NOWHERE, **settings}
    )
    code, output = await ended(tmp_path, Command().line(config, 0))
    problem = next(line for line in output.splitlines() if told[0] in line)
    assert code == 2 and f"{config}:" in problem
    assert all(word in problem for word in told)
    assert "Traceback" not in output


async def test_plain_mitmdump_refuses_it_too(tmp_path: Path) -> None:
    url = free_url()
    config = write_config(tmp_path, {"service_base_url": url, "upstream_base_url": NOWHERE, "nonsense": 1})
    code, output = await ended(tmp_path, Command(plain=True).line(config, int(url.rpartition(":")[2])))
    assert code != 0 and f"{config}:" in output and "nonsense" in output


@pytest.mark.contract("OW-10", "OW-12")
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
async def test_everyone_may_be_let_in_on_every_address_and_is_warned_of(
    upstream: Upstream, tmp_path: Path, host: str
) -> None:
    url = free_url()
    open_to_all = {
        "service_base_url": url.replace("127.0.0.1", host),
        "service_api_key": None,
        "allow_unauthenticated": True,
    }
    config = write_config(tmp_path, {"upstream_base_url": upstream.url, **open_to_all})
    async with serving(tmp_path, url.replace("127.0.0.1", "localhost"), Command().line(config, 0)) as proxy:
        await proxy.until_written("allow_unauthenticated")
        warnings = [line for line in proxy.output.splitlines() if "WARNING" in line]
        assert any(host.strip("[]") in line or "every address" in line for line in warnings)


@pytest.mark.contract("WK-21")
async def test_a_config_without_an_upstream_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"service_base_url": free_url()})
    code, output = await ended(tmp_path, Command().line(config, 0))
    assert code == 2
    assert "upstream_base_url" in output and "WERKZEUGKOPPLER_UPSTREAM_BASE_URL" in output


async def test_plain_mitmdump_takes_the_target_of_its_mode_for_the_upstream(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(says("Hello."))
    command = Command(plain=True, target=upstream.url)
    async with running(tmp_path, upstream.url, {"upstream_base_url": None}, command) as proxy:
        assert await chatted(proxy) == 200


async def test_every_problem_of_a_config_is_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("upstream_base_url: http://127.0.0.1:9\nmax_tool_loops: many\nnonsense: 1\n")
    code, output = await ended(tmp_path, Command().line(config, 0))
    assert code == 2
    assert f"{config}:2:" in output and f"{config}:3:1:" in output


@pytest.mark.contract("WK-18")
async def test_a_named_config_that_is_missing_is_told(tmp_path: Path) -> None:
    code, output = await ended(tmp_path, [*LAUNCHER, "--config", "nowhere.yaml"])
    assert code == 2 and "nowhere.yaml" in output


@pytest.mark.contract("AP-53", "LP-31")
async def test_a_port_in_use_is_told_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        config = write_config(tmp_path, {"service_base_url": url, "upstream_base_url": NOWHERE})
        code, output = await ended(tmp_path, Command().line(config, port))
    assert code == 1
    assert str(port) in output and "service_base_url" in output and "Traceback" not in output


async def test_it_is_reached_under_its_own_address_only(upstream: Upstream, tmp_path: Path) -> None:
    async with running(tmp_path, upstream.url, {}) as proxy:
        port = int(proxy.url.rpartition(":")[2])
        with pytest.raises(OSError):
            await anyio.connect_tcp("127.0.0.2", port)


@pytest.mark.contract("WK-33")
@pytest.mark.parametrize("stuck", [Hang(), Sse([chunk({"role": "assistant"}), anyio.Event()])])
async def test_it_stops_though_an_upstream_is_stuck(upstream: Upstream, tmp_path: Path, stuck: Any) -> None:
    upstream.script(stuck)
    async with running(tmp_path, upstream.url, {}) as proxy, anyio.create_task_group() as tasks:

        async def ask() -> None:
            async with aiohttp.ClientSession(proxy.url) as session:
                try:
                    await Client(session, SERVICE_KEY).chat(stream=True)
                except aiohttp.ClientError:
                    pass

        tasks.start_soon(ask)
        await upstream.chat()
        proxy.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(7):
            assert await proxy.process.wait() == 0
