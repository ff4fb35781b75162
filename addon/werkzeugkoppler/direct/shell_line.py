"""The names of all commands in a line of shell code; a line whose commands cannot be told is refused.

The line is parsed as bash and run by whatever `/bin/sh` is. So only what every shell reads alike is let
through, by a list of what is known, never by one of what is bad.
"""

import re
from collections.abc import Iterator

from tree_sitter import Language, Node, Parser
from tree_sitter_bash import language

_KNOWN = frozenset(
    {"program", "list", "pipeline", "command", "command_name", "redirected_statement", "file_redirect"}
    | {"subshell", "compound_statement", "negated_command", "file_descriptor", "word", "number"}
    | {"raw_string", "string", "string_content", "concatenation", "simple_expansion"}
    | {"variable_name", "special_variable_name"}
    | {";", "&&", "||", "|", "&", "(", ")", "{", "}", "!", "\n", '"', "$"}
    | {">", ">>", "<", ">&", "<&", ">|"}
)

_IN_WORDS = {
    "command_substitution": "a command substitution",
    "process_substitution": "a process substitution",
    "variable_assignment": "a variable assignment",
    "variable_assignments": "a variable assignment",
    "expansion": "an expansion in braces",
    "heredoc_redirect": "a here-document",
    "herestring_redirect": "a here-string",
    "function_definition": "a function definition",
    "comment": "a comment",
    "ERROR": "something that is no shell code",
}
"""What is refused, in words; the rest by the parser's name for it."""

_NAME = re.compile(r"[A-Za-z0-9_./+:@%,-]+")
_RESERVED = frozenset(
    "if then else elif fi do done case esac while until for in function select coproc time".split()
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BETWEEN = re.compile(rb"[ \t\n]*")
_SUBSTITUTION = re.compile(rb"`|\$[({\[]|[<>]\(")

_LANGUAGE = Language(language())


class RefusedLine(Exception):
    """The commands of a line cannot be told; the text says what stands in the way."""


def commands_of(code: str) -> list[str]:
    """The name of each command of the line, in their order.

    Raises:
        RefusedLine: It holds anything but plain commands, their arguments and redirections, and what
            joins them.
    """
    if _CONTROL.search(code):
        raise RefusedLine("a control character")
    source = code.encode("utf-8", "replace")
    nodes = list(_nodes(Parser(_LANGUAGE).parse(source).root_node))
    for node in nodes:
        _check(node)
    leaves = [(node.start_byte, node.end_byte) for node in nodes if not node.child_count]
    starts, ends = [*(start for start, _ in leaves), len(source)], [0, *(end for _, end in leaves)]
    # What the parser passes over, another shell might read.
    if not all(map(_BETWEEN.fullmatch, [source] * len(ends), ends, starts)):
        raise RefusedLine("a line continuation or an unusual space")
    commands = [_name(node) for node in nodes if node.type == "command"]
    if not commands:
        raise RefusedLine("no command")
    return commands


def _nodes(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the text."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def _check(node: Node) -> None:
    if node.type not in _KNOWN or node.is_missing or node.is_error:
        raise RefusedLine(_IN_WORDS.get(node.type, f"`{node.type}`"))
    text = node.text or b""
    # The parser should have seen these: a second look, as much depends on it.
    if not node.child_count and node.type != "raw_string" and _SUBSTITUTION.search(text):
        raise RefusedLine("a substitution")
    if node.type == "file_redirect" and len(node.children_by_field_name("destination")) != 1:
        raise RefusedLine("a word after a redirection")  # `> file rm` runs rm
    if node.type == "redirected_statement" and node.child_by_field_name("body") is None:
        raise RefusedLine("a redirection without a command before it")


def _name(command: Node) -> str:
    name = command.child_by_field_name("name")
    text = (name.text or b"").decode() if name is not None else ""
    is_plain = name is not None and [child.type for child in name.children] == ["word"]
    if not is_plain or not _NAME.fullmatch(text) or text in _RESERVED:
        raise RefusedLine(f"a command whose name is not written plainly (`{text}`)")
    return text
