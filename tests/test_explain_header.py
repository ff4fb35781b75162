"""Which values of the header ask for a dry run: whoever sends one has it answered by no model by mistake."""

import pytest
from mitmproxy.test import tflow

from werkzeugkoppler.admission import wants_explanation
from werkzeugkoppler.wire.http import EXPLAIN_HEADER


@pytest.mark.contract("BX-13")
@pytest.mark.parametrize("value", ["1", "true", "yes", "ON", " True ", "please", "2"])
def test_any_value_asks_for_an_explanation(value: str) -> None:
    flow = tflow.tflow()
    flow.request.headers[EXPLAIN_HEADER] = value
    assert wants_explanation(flow)


@pytest.mark.parametrize("value", ["0", "false", "No", " off ", "", " "])
def test_but_those_that_say_no(value: str) -> None:
    flow = tflow.tflow()
    assert not wants_explanation(flow)
    flow.request.headers[EXPLAIN_HEADER] = value
    assert not wants_explanation(flow)
