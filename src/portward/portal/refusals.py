"""Refuses with a page, and keeps why as an event, so that `portward explain REQUEST-ID` can tell.

return await refusals.answer(request, problems.CROSS_SITE)
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from portward.facts import RequestRefused
from portward.portal import visit
from portward.portal.pages import Action, Pages
from portward.portal.portal import Portal
from portward.portal.problems import Problem


class Refusals:
    def __init__(self, portal: Portal, pages: Pages) -> None:
        self._portal, self._pages = portal, pages

    async def answer(
        self, request: Request, problem: Problem, actions: Sequence[Action] = (), *, account: str = "", host: str = ""
    ) -> Response:
        """The page for `problem`, which has a rule. `host` is what was to be opened, where it is not the page's own."""
        await self._portal.record(
            RequestRefused(
                time=self._portal.clock(),
                request_id=visit.request_id(request),
                address=visit.address(request),
                account=account,
                gate="identity",
                rule=problem.rule,
                host=host or visit.host(request),
                method=request.method,
                path=request.url.path[:256],
                status=problem.status,
            )
        )
        return self._pages.problem(request, problem, actions)
