"""The names of all commands in a line of shell code; a line whose commands cannot be told is refused.

The line is parsed as bash and run by whatever `/bin/sh` is. So only what every shell reads alike is let
through, by a list of what is known, never by one of what is bad.
"""

import re
from collections.abc import Iterator, Sequence

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
_BETWEEN = re.compile(rb"[ \t]*")
_BETWEEN_LINES = re.compile(rb"[ \t\n]*")
_BEFORE_LINES = frozenset({"", "\n", ";", "|", "&&", "||", "&", "(", "{"})
"""The leaves after which a line break changes nothing; the empty one stands for the beginning."""
_OF_LINES = frozenset({"\n", "raw_string", "string_content"})
"""The leaves that may hold a line break. In any other it ends a command that the parser sees go on."""
_SUBSTITUTION = re.compile(rb"`|\$[({\[]|[<>]\(")

MAX_BYTES = 8 * 1024
"""Of a line that is parsed: the parser lets nobody else run meanwhile, and some lines take it long."""

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
    if len(source) > MAX_BYTES:
        raise RefusedLine(f"more than {MAX_BYTES} bytes")
    if "<<" in code:
        raise RefusedLine("a here-document or a here-string")  # many of them take the parser seconds
    nodes = list(_nodes(Parser(_LANGUAGE).parse(source).root_node))
    for node in nodes:
        _check(node)
    _check_gaps(source, nodes)
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


def _check_gaps(source: bytes, nodes: Sequence[Node]) -> None:
    """What the parser passes over, another shell might read."""
    beginnings = {node.start_byte for node in nodes if node.type == "command"}
    end, before = 0, ""
    for leaf in (node for node in nodes if not node.child_count):
        begins = leaf.start_byte in beginnings or leaf.type in (")", "}")
        may_break = before in _BEFORE_LINES or begins or _is_within_string(leaf)
        gap = _BETWEEN_LINES if may_break else _BETWEEN
        if not gap.fullmatch(source, end, leaf.start_byte):
            raise RefusedLine("a line continuation, an unusual line break or an unusual space")
        end, before = leaf.end_byte, leaf.type
    if not _BETWEEN_LINES.fullmatch(source, end):
        raise RefusedLine("a line continuation or an unusual space")


def _is_within_string(leaf: Node) -> bool:
    string = leaf.parent
    return string is not None and string.type == "string" and leaf.start_byte > string.start_byte


def _check(node: Node) -> None:
    if node.type not in _KNOWN or node.is_missing or node.is_error:
        raise RefusedLine(_IN_WORDS.get(node.type, f"`{node.type}`"))
    text = node.text or b""
    # The parser should have seen these: a second look, as much depends on it.
    if not node.child_count and b"\n" in text and node.type not in _OF_LINES:
        raise RefusedLine("a line break within a word")
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
