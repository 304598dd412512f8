"""What `portward explain` says of a refusal that a visitor saw.

explained(gateway, request_id_in(answer))["rule"]       # 'no_session'
"""

import re
from typing import Any

from tests.lives.gateway import Gateway
from tests.lives.waiting import wait_for

from portward.edge.refusals import RULES

_ID = re.compile(r"\b(?=[0-9a-f-]{18,}\b)[0-9a-f]+(?:-[0-9a-f]+)+\b")


def request_id_in(text: str) -> str:
    """The request id of an error page, or of an error as JSON."""
    found = _ID.search(text)
    assert found, f"no request id in the answer: {text[:500]}"
    return found[0]


def explained(gateway: Gateway, request_id: str) -> dict[str, Any]:
    """The event, with its explanation, once it has arrived."""
    gateway.wait_for_events(request_id=request_id)
    with gateway.admin() as admin:
        (event,) = wait_for(lambda: admin.get(f"/explain/{request_id}")["events"], "an explanation")
    return dict(event)


def require_explanation(gateway: Gateway, answer: str, rule: str) -> None:
    """The answer's request id leads to this rule, its gate and its way out."""
    event = explained(gateway, request_id_in(answer))
    assert (event["rule"], event["gate"]) == (rule, RULES[rule].gate)
    assert event["explanation"]["way_out"] == RULES[rule].way_out
