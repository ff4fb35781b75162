"""Configured commands as tools."""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from werkzeugkoppler.config.tool_sections import Action, Parameter
from werkzeugkoppler.tools.actions import action_tool, parse_output, substitute
from werkzeugkoppler.tools.tool import Tool, ToolResult


def parameter(name: str, type: str = "insecure_string", **overrides: Any) -> Parameter:
    return Parameter.model_validate({"name": name, "type": type} | overrides)


def action(**overrides: Any) -> Action:
    defaults = {"name": "act", "description": "Acts.", "command": "echo", "timeout": 20}
    return Action.model_validate(defaults | overrides)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project folder with a file, a folder, and a link that leads out of it."""
    root = tmp_path / "project"
    (root / "sub").mkdir(parents=True)
    (root / "file.txt").write_text("content")
    (root / "way-out").symlink_to(tmp_path)
    return root


def made(action: Action, root: Path, **environ: str) -> Tool:
    return action_tool(action, root=root, environ={"PATH": os.environ["PATH"]} | environ, secrets=())


async def run(tool: Tool, **arguments: Any) -> ToolResult:
    with anyio.fail_after(30):
        return await tool.run(arguments, lambda line: None)


def error(text: str) -> ToolResult:
    return ToolResult(False, f"Local action error on act: {text}")


@pytest.mark.contract("WK-95", "WK-96", "WK-97")
def test_the_schema_shows_what_the_model_sets(root: Path) -> None:
    parameters = (
        parameter("text", description="What to say"),
        parameter("file", "project_file_path"),
        parameter("mood", default="calm"),
        parameter("TOKEN", "required_env_var"),
        parameter("EXTRA", "optional_env_var"),
    )
    tool = made(action(parameters=parameters), root)
    assert (tool.source, tool.name, tool.description) == ("actions", "act", "Acts.")
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "What to say"},
            "file": {"type": "string", "description": "Parameter file"},
            "mood": {"type": "string", "description": "Parameter mood"},
        },
        "required": ["text", "file"],
    }


def test_the_schema_without_parameters_is_an_empty_object(root: Path) -> None:
    assert made(action(), root).parameters == {"type": "object", "properties": {}}


@pytest.mark.contract("WK-98")
async def test_values_reach_the_arguments_and_no_shell(root: Path) -> None:
    acting = action(
        command="printf", arguments=("%s|", "$TEXT", "a ${TEXT}"), parameters=(parameter("TEXT"),)
    )
    result = await run(made(acting, root), TEXT="x; $(id) `id`")
    assert result == ToolResult(True, ["x; $(id) `id`|a x; $(id) `id`|"])


@pytest.mark.contract("WK-99")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$TEXT", "one"),
        ("$TEXTURE", "two"),
        ("$TEXT.$TEXTURE$TEXT", "one.twoone"),
        ("${TEXT}URE", "oneURE"),
        ("$TEX $ ${} $$TEXT", "$TEX $ ${} $one"),
        ("$TRICK", "$TEXT ${TEXT}"),
        ("${odd-name}", "three"),
    ],
)
def test_whole_names_are_replaced_and_values_are_not_expanded_again(text: str, expected: str) -> None:
    values = {"TEXT": "one", "TEXTURE": "two", "TRICK": "$TEXT ${TEXT}", "odd-name": "three"}
    assert substitute(text, values) == expected


@pytest.mark.contract("WK-97")
async def test_a_default_is_used_where_nothing_is_given(root: Path) -> None:
    acting = action(arguments=("$MOOD",), parameters=(parameter("MOOD", default="calm"),))
    tool = made(acting, root)
    assert [(await run(tool)).value, (await run(tool, MOOD=None)).value] == [["calm"], ["calm"]]
    assert (await run(tool, MOOD="wild")).value == ["wild"]


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (1.5, "1.5"), (True, "true"), ({"ä": [1]}, '{"ä": [1]}'), ("", "")]
)
async def test_values_that_are_no_strings_arrive_as_json_text(root: Path, value: Any, text: str) -> None:
    acting = action(command="printf", arguments=("<%s>", "$V"), parameters=(parameter("V"),))
    assert (await run(made(acting, root), V=value)).value == [f"<{text}>"]


@pytest.mark.contract("WK-100")
async def test_values_are_the_childs_environment_too(root: Path) -> None:
    acting = action(command="sh", arguments=("-c", 'echo "<$' + 'NAME>"'), parameters=(parameter("OTHER"),))
    result = await run(made(acting, root, NAME="inherited"), OTHER="set")
    assert result.value == ["<inherited>"]
    acting = action(command="printenv", arguments=("OTHER",), parameters=(parameter("OTHER"),))
    assert (await run(made(acting, root), OTHER="set")).value == ["set"]


@pytest.mark.contract("WK-101")
async def test_a_command_line_is_split_before_values_are_put_in(root: Path) -> None:
    acting = action(command="printf '%s|' 'a b' $TEXT", parameters=(parameter("TEXT"),))
    assert (await run(made(acting, root), TEXT="it's one word")).value == ["a b|it's one word|"]


@pytest.mark.contract("WK-102")
@pytest.mark.parametrize("path", ["file.txt", "sub/../file.txt", "./file.txt"])
async def test_a_path_inside_the_project_is_passed_as_it_was_checked(root: Path, path: str) -> None:
    parameters = (parameter("FILE", "project_file_path"),)
    acting = action(command="cat", arguments=("$FILE",), parameters=parameters, run_path="sub")
    assert (await run(made(acting, root), FILE=path)).value == ["content"]


@pytest.mark.contract("WK-102")
@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "way-out", "~", "~nobody-here/x", "a\0b", "file.txt/x", "", " "]
)
async def test_a_path_that_leaves_the_project_is_rejected(root: Path, path: str) -> None:
    acting = action(arguments=("$F",), parameters=(parameter("F", "project_file_path"),))
    expected = error(f"Invalid path '{path}' for parameter 'F' in action 'act'")
    assert await run(made(acting, root), F=path) == expected


@pytest.mark.contract("WK-102")
async def test_a_path_to_nothing_is_rejected(root: Path) -> None:
    acting = action(arguments=("$F",), parameters=(parameter("F", "project_file_path"),))
    expected = error("Path 'none.txt' for parameter 'F' in action 'act' does not exist")
    assert await run(made(acting, root), F="none.txt") == expected


@pytest.mark.contract("WK-103")
async def test_a_required_variable_comes_from_the_environment(root: Path) -> None:
    acting = action(arguments=("$TOKEN",), parameters=(parameter("TOKEN", "required_env_var"),))
    assert (await run(made(acting, root, TOKEN="t"))).value == ["t"]
    unset = await run(made(acting, root))
    assert unset == error("Required environment variable 'TOKEN' not set for action 'act'")


@pytest.mark.contract("WK-104")
async def test_an_optional_variable_may_be_unset(root: Path) -> None:
    acting = action(arguments=("<$EXTRA>",), parameters=(parameter("EXTRA", "optional_env_var"),))
    assert (await run(made(acting, root, EXTRA="e"))).value == ["<e>"]
    assert (await run(made(acting, root))).value == ["<>"]


@pytest.mark.contract("WK-105")
async def test_a_missing_parameter_is_named(root: Path) -> None:
    acting = action(parameters=(parameter("TEXT"),))
    assert await run(made(acting, root)) == error("Required parameter 'TEXT' not provided for action 'act'")


async def test_parameters_that_the_action_does_not_show_are_refused(root: Path) -> None:
    acting = action(parameters=(parameter("TOKEN", "optional_env_var"),))
    result = await run(made(acting, root), TOKEN="mine", more=1)
    assert result == error("Unknown parameters 'TOKEN', 'more' for action 'act'")


@pytest.mark.contract("WK-106")
async def test_an_action_runs_in_its_folder_inside_the_project(root: Path) -> None:
    assert (await run(made(action(command="pwd", run_path="sub"), root))).value == [str(root / "sub")]
    assert (await run(made(action(command="pwd"), root))).value == [str(root)]


@pytest.mark.contract("WK-106")
@pytest.mark.parametrize("path", ["..", "way-out", "missing", "file.txt"])
async def test_an_action_does_not_run_anywhere_else(root: Path, path: str) -> None:
    result = await run(made(action(run_path=path), root))
    assert result == error(f"Invalid run_path '{path}' for action 'act'")


@pytest.mark.contract("WK-107")
async def test_an_action_beyond_its_time_says_how_long_it_had(root: Path) -> None:
    result = await run(made(action(command="sleep 1000", timeout=0.5), root))
    assert (result.ok, result.value) == (
        False,
        "Local action error on act: Command for action 'act' timed out after 0.5 seconds",
    )


@pytest.mark.parametrize("command", ["/no/such/command", "''"])
async def test_an_action_that_cannot_be_started_says_why(root: Path, command: str) -> None:
    result = await run(made(action(command=command), root))
    assert not result.ok
    assert result.value.startswith("Local action error on act: Failed to execute action 'act': ")


@pytest.mark.contract("WK-108", "WK-109")
@pytest.mark.parametrize(
    ("stdout", "value"),
    [
        (b' {"a": [1, null]}\n', {"a": [1, None]}),
        (b'\x1b[1m"bold"\x1b[0m', "bold"),
        (b"one\n\n  two\n", ["one", "  two"]),
        (b"10%\r50%\r100%\r\ndone\r\n", ["100%", "done"]),
        (b"\x1b]0;title\x07a\x1b[31;1mb\x1b[K\x1b(Bc", ["abc"]),
        (b"NaN", ["NaN"]),
        (b"[" * 100_000, ["[" * 100_000]),
        (b"\xff", ["�"]),
        (b"", []),
    ],
)
def test_output_is_a_json_value_or_a_list_of_lines(stdout: bytes, value: Any) -> None:
    assert parse_output(stdout) == value


@pytest.mark.contract("WK-110")
async def test_a_failing_command_keeps_its_result_and_adds_why(root: Path) -> None:
    result = await run(made(action(command="sh", arguments=("-c", "echo out; echo why >&2; exit 3")), root))
    assert result == ToolResult(True, ["out"], {"exit_code": 3, "stderr": "why"})


@pytest.mark.contract("WK-110")
async def test_stderr_of_a_command_that_succeeds_is_ignored(root: Path) -> None:
    result = await run(made(action(command="sh", arguments=("-c", "echo [1]; echo noise >&2")), root))
    assert result == ToolResult(True, [1])


async def test_output_beyond_the_limit_is_said_to_be_cut(root: Path) -> None:
    acting = action(command=sys.executable, arguments=("-c", "print('x' * 99)"), max_output_bytes=10)
    result = await run(made(acting, root))
    assert result == ToolResult(True, ["x" * 10], {"output": "cut at 10 bytes, 90 more were dropped"})


@pytest.mark.contract("BX-17")
async def test_an_action_inherits_no_secret_unless_it_names_it(root: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "API_KEY": "sk-0123456789"}
    told = (parameter("API_KEY", "required_env_var"),)

    async def seen(action: Action) -> Any:
        tool = action_tool(action, root=root, environ=environ, secrets=["sk-0123456789"])
        return (await run(tool)).value

    assert await seen(action(command="printenv API_KEY")) == []
    assert await seen(action(command="printenv API_KEY", parameters=told)) == ["sk-0123456789"]
