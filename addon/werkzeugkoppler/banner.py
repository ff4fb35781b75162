"""What a start tells: where it listens, who answers, which tools there are, what to try."""

import json
from collections import Counter

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.stack import DEMO, Stack


def banner(stack: Stack, *, config: str, upstream_note: str, look_inside: str) -> str:
    """The text, some lines.

    Args:
        config: Where the config came from.
        upstream_note: Why this upstream, where nobody configured it; may be empty.
        look_inside: How to see the flows.
    """
    settings = stack.settings
    rows = [
        (
            "listens",
            f"{settings.service_base_url}/v1" + (" (with a key)" if settings.service_api_key else ""),
        ),
        ("upstream", _upstream(settings) + (f" ({upstream_note})" if upstream_note else "")),
        ("tools", _tools(stack)),
        ("may be run", _commands(settings)),
        ("config", config),
        ("look inside", look_inside),
        *([("afterwards", "./run.sh inspect --last")] if settings.traces.enabled else []),
    ]
    lines = ["", "Werkzeugkoppler is ready", *(f"  {name:<12} {text}" for name, text in rows), ""]
    failed = [entry for entry in stack.toolbox.health() if not entry["ok"]]
    lines += [f"  MCP server {entry['server_id']} is down: {entry['error']}" for entry in failed]
    return "\n".join([*lines, "  Try it:", "", _curl(settings), ""])


def _upstream(settings: Settings) -> str:
    return "the built-in demo model" if settings.upstream_base_url == DEMO else settings.upstream_base_url


def _tools(stack: Stack) -> str:
    by_source = Counter(tool.source for tool in stack.toolbox.offered().values())
    sources = ", ".join(f"{count} from {source}" for source, count in by_source.items())
    return f"{by_source.total()} ({sources})" if sources else "none"


def _commands(settings: Settings) -> str:
    """What anybody with the key can run without asking the model."""
    patterns = ", ".join(settings.allowed_direct_commands)
    return f"by @@ in a message: {patterns}" if patterns else "nothing but these tools"


def _curl(settings: Settings) -> str:
    body = {"stream": True, "messages": [{"role": "user", "content": "What time is it?"}]}
    if settings.upstream_base_url == DEMO:
        body = {"model": DEMO, **body}
    elif settings.upstream_default_model:
        body = {"model": settings.upstream_default_model, **body}
    key = " -H 'Authorization: Bearer YOUR_SERVICE_API_KEY'" if settings.service_api_key else ""
    url = f"{settings.service_base_url}/v1/chat/completions"
    return f"  curl -N {url} -H 'Content-Type: application/json'{key} \\\n    -d '{json.dumps(body)}'"
