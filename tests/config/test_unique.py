"""Names that stand twice are said, whatever else is wrong."""

from pathlib import Path

from tests.config.files import UPSTREAM, loaded, problems

ACTION = "actions:\n  - name: one\n    description: d\n    command: run\n"


def test_each_name_stands_once(tmp_path: Path) -> None:
    content = """
mcp_servers:
  - {server_id: a, transport: http, url: "http://u"}
  - {server_id: a, transport: wrong}
last_user_message_readers:
  - {name: a, command: c}
  - {name: a, command: c}
detectors:
  - {name: a, pattern: p}
  - {name: a, pattern: p}
actions:
  - text
  - {name: a, description: d, command: c, parameters: {}}
  - {name: [b], description: d, command: c}
  - name: a
    description: d
    command: c
    parameters:
      - {name: p, type: insecure_string}
      - {name: q, type: insecure_string}
      - {name: p, type: insecure_string}
"""
    again = [line for line in problems(tmp_path, UPSTREAM + content) if "the same" in line]
    assert again == [
        "config.yaml:5:17: mcp_servers[1].server_id: is the same as in entry [0]: choose another name",
        "config.yaml:8:12: last_user_message_readers[1].name: is the same as in entry [0]:"
        " choose another name",
        "config.yaml:11:12: detectors[1].name: is the same as in entry [0]: choose another name",
        "config.yaml:16:11: actions[3].name: is the same as in entry [1]: choose another name",
        "config.yaml:22:16: actions[3].parameters[2].name: is the same as in entry [0]: choose another name",
    ]


def test_the_same_parameter_in_two_actions_is_no_problem(tmp_path: Path) -> None:
    parameters = "    parameters: [{name: p, type: insecure_string}]\n"
    other = ACTION.removeprefix("actions:\n").replace("one", "two")
    assert len(loaded(tmp_path, UPSTREAM + ACTION + parameters + other + parameters).actions) == 2
