"""`GET /healthz`: how the proxy and what it leans on are doing (F1)."""

from datetime import UTC, datetime
from typing import Any

from werkzeugkoppler.endpoints.call import Call, Reply
from werkzeugkoppler.wire.http import JSON_HEADERS
from werkzeugkoppler.wire.jsontext import dumps


async def health(call: Call) -> Reply:
    """Answer 200, also when degraded: it tells, it does not judge."""
    toolbox, upstream = call.stack.toolbox, call.stack.upstream
    servers = [_shown(entry, call.has_key) for entry in toolbox.health()]
    healthy = all(entry["ok"] for entry in servers)
    refreshed = toolbox.last_refresh
    upstream_entry = {"base_url": upstream.base_url, "ok": upstream.state.ok, "error": upstream.state.error}
    body = {
        "status": "ok",
        "service": "werkzeugkoppler",
        "timestamp": datetime.now(UTC).isoformat(),
        "ok": healthy,
        "degraded": not healthy,
        "last_tool_refresh_at": refreshed.isoformat() if refreshed else None,
        "mcp_servers": servers,
        "upstreams": [_shown(upstream_entry, call.has_key)],
        "config": _shown({"ok": call.config_error is None, "error": call.config_error}, call.has_key),
    }
    return Reply(200, JSON_HEADERS, dumps(body).encode())


def _shown(entry: dict[str, Any], has_key: bool) -> dict[str, Any]:
    """An error's text may hold addresses and paths: only who has the key reads it."""
    return entry | ({"error": "error"} if entry.get("error") and not has_key else {})
