"""A command may run where a pattern allows its name; with `every_command`, all names of its line."""

import pytest

from werkzeugkoppler.direct.policy import Policy, check
from werkzeugkoppler.direct.shell_line import RefusedLine, commands_of
from werkzeugkoppler.errors import ApiError


def refusal(code: str, *patterns: str, policy: Policy = "first_token") -> str:
    with pytest.raises(ApiError) as refused:
        check(code, patterns, policy)
    assert (refused.value.status, refused.value.code) == (400, "direct_command_not_allowed")
    return refused.value.message


@pytest.mark.parametrize(
    "code, pattern",
    [
        ("echo a", "echo"),
        ("echo", "*"),
        ("apt-get x", "apt-*"),
        ("/usr/local/bin/x", "/usr/local/bin/*"),
        ("e2 a", "e?"),
        ("ea", "e[ab]"),
        ("'echo' a", "echo"),
        ("echo;id", "echo"),
    ],
)
def test_a_pattern_matches_the_whole_first_word(code: str, pattern: str) -> None:
    check(code, ["other", pattern], "first_token")


@pytest.mark.parametrize("policy", ["first_token", "every_command"])
def test_no_way_leads_out_of_the_folder_of_a_pattern(policy: Policy) -> None:
    way_out = "/usr/local/bin/../../bin/id"
    assert "is not an allowed" in refusal(way_out, "/usr/local/bin/*", policy=policy)
    check(way_out, ["*"], policy)
    check("../bin/x", ["../bin/*"], policy)


@pytest.mark.parametrize("code", ["rm a", "ECHO a", "echo2", "", "'' a", "(echo)", "A=1 echo"])
def test_any_other_first_word_is_refused(code: str) -> None:
    message = refusal(code, "echo", "ls*")
    assert message.endswith("` is not an allowed direct command. Allowed commands are:\necho\nls*")


def test_quotes_that_are_not_closed_are_refused() -> None:
    assert "no closing quotation" in refusal("echo 'a", "*")


def test_code_that_no_shell_would_take_is_refused() -> None:
    check("echo " + "a" * (128 * 1024 - 6), ["echo"], "first_token")
    assert "131072 bytes" in refusal("echo " + "a" * (128 * 1024 - 5), "echo")


def test_every_command_of_a_line_is_checked() -> None:
    check("echo a | cat; echo b && cat", ["echo", "cat"], "every_command")
    assert "`rm` is not" in refusal("echo a | cat || rm b", "echo", "cat", policy="every_command")


def test_a_line_that_cannot_be_told_is_refused_with_the_reason() -> None:
    message = refusal("echo $(id)", "*", policy="every_command")
    assert "a command substitution" in message and "every_command" in message


@pytest.mark.parametrize(
    "code, names",
    [
        ("ls", ["ls"]),
        ("a | b; c && d || e & f\ng", list("abcdefg")),
        ("(cd x; ls)", ["cd", "ls"]),
        ("{ ls; }; ! id", ["ls", "id"]),
        ("/usr/bin/ls -l --all=1 *.py ~/x 5 a{b,c} [a]", ["/usr/bin/ls"]),
        ("""echo "a $HOME b" 'x; $(id) `id`' a"b"'c' \\; $1 $?""", ["echo"]),
        ("echo a > f; cat < f >> g 2>&1", ["echo", "cat"]),
        ("> f rm a; 2>f <g id", ["rm", "id"]),
        ("echo a#b é", ["echo"]),
        ("\necho 'a\nb' \"c\nd\";\n\nid |\n cat\n\n", ["echo", "id", "cat"]),
        ("(\nls\n)", ["ls"]),
    ],
)
def test_the_commands_of_a_line_are_found(code: str, names: list[str]) -> None:
    assert commands_of(code) == names


@pytest.mark.parametrize(
    "code",
    [
        "echo $(id)",
        "echo `id`",
        'echo "a $(id)"',
        'echo "`id`"',
        "cat <(id)",
        "tee >(id)",
        "echo ${x:-$(id)}",
        "echo ${x}",
        "echo $((1))",
        "$X a",
        '"ls" a',
        "l\\s",
        "l's'",
        "./* a",
        "A=1 ls",
        "A=1",
        "PATH=. ls",
        ">f",
        "echo a > f rm",
        "echo a &> f rm",
        "echo a |& cat",
        "cat << E\n$(id)\nE",
        "cat <<< a",
        "f() { ls; }",
        "echo() (id); echo",
        "if ls; then id; fi",
        "for i in a; do id; done",
        "while id; do ls; done",
        "case a in a) id;; esac",
        "export A=1",
        "[ -f x ]",
        "[[ a ]]",
        "echo $'a'",
        "echo a # b",
        "ls \\\n-l",
        "echo hi\n\\id -u",
        "echo a\n>f",
        "echo <<E\nE",
        "ls " + "a" * 8192,
        "ls \\\n",
        "echo \\`id\\`",
        "ls\u00a0rm",
        "ls\rrm",
        "ls \x00",
        "echo 'a",
        "echo a;; id",
        "then id",
        "",
        " ",
    ],
)
def test_a_line_with_anything_else_is_refused(code: str) -> None:
    with pytest.raises(RefusedLine):
        commands_of(code)
