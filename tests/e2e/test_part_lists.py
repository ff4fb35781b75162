"""Deltas whose content is a list of parts are text for the client."""

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.fakes.answers import Sse
from tests.fakes.chunks import chunk
from tests.fakes.upstream import Upstream


def parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return chunk({"content": list(parts)})


@pytest.mark.contract("WK-129", "BX-01")
async def test_reasoning_parts_are_reasoning_and_the_others_the_answer(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(
        Sse(
            [
                parts({"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}),
                parts({"type": "summary_text", "text": "."}, {"type": "text", "text": "Hel"}),
                chunk({"content": "lo."}),
                chunk({}, finish="stop"),
            ]
        )
    )
    transcript = await client.transcript()
    assert (transcript.joined("reasoning_content"), transcript.text) == ("Hm.", "Hello.")
    assert (transcript.roles, transcript.finishes, transcript.done) == (["assistant"], ["stop"], 1)


@pytest.mark.contract("WK-129")
async def test_a_part_that_is_no_text_passes_as_it_is(client: Client, upstream: Upstream) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    upstream.script(Sse([parts(picture), chunk({}, finish="stop")]))
    assert (await client.transcript()).deltas[0]["content"] == [picture]
