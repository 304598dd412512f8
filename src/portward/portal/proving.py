"""Asks again who is there, before what protects an account is changed.

    proof = await proving.prove(request, visitor, question)
    if isinstance(proof, Response): return proof
    ...change...
    return proving.keep(see("/"), proof)

Whoever has a second factor shows it, unless that was done in the last ten minutes; everybody else types the password.
"""

from starlette.requests import Request
from starlette.responses import Response

from portward.identity.access import stepped_up
from portward.identity.answers import Refused, Stepped, Wait
from portward.portal import visit
from portward.portal.pages import SCRIPT_POLICY, Pages, Question
from portward.portal.portal import Portal
from portward.portal.visitors import Visitor, Visitors
from portward.portal.wording import waiting

_WRONG_CODE = "That code does not fit. Check that the clock of your device is right, and enter the newest code."
_WRONG_PASSKEY = "That passkey does not fit. Try another one of yours."
_NOT_RIGHT = "The password is not right."


class Proving:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors) -> None:
        self._portal, self._pages, self._visitors = portal, pages, visitors

    def fresh(self, visitor: Visitor) -> bool:
        """Whether the second factor was shown just now."""
        return stepped_up(visitor.session, self._portal.clock())

    async def prove(self, request: Request, visitor: Visitor, question: Question) -> Stepped | Response | None:
        """None: shown before, or the password is right. `Stepped`: this form shows it. Else what to answer instead."""
        if self.fresh(visitor):
            return None
        form, address, logins = await visit.form(request), visit.address(request), self._portal.identity.logins
        answer: Stepped | Refused | Wait | None
        if visitor.account.has_second_factor:
            answer = await logins.step_up(visitor.session, visit.second_factor(form), address=address)
            wrong = _WRONG_PASSKEY if "passkey" in form else _WRONG_CODE
        else:
            answer = await logins.confirm_password(visitor.session, form.get("password", "")[:512], address=address)
            wrong = _NOT_RIGHT
        match answer:
            case Refused():
                return self.ask(visitor, question, problem=wrong, status=422)
            case Wait(seconds):
                text = f"Too many wrong tries. Nothing was checked; try again in {waiting(seconds)}."
                return self.ask(visitor, question, problem=text, status=429)
        return answer

    def ask(self, visitor: Visitor, question: Question, *, problem: str = "", status: int = 200) -> Response:
        """The question, with a field for what is to be shown unless that was shown just now."""
        account = visitor.account
        asks = "" if self.fresh(visitor) else "second-factor" if account.has_second_factor else "password"
        return self._pages.render(
            "confirm.html.j2",
            status=status,
            policy=SCRIPT_POLICY if asks == "second-factor" and account.passkeys else "",
            question=question,
            asks=asks,
            account=account,
            pending=None,
            problem=problem,
        )

    def keep(self, response: Response, proof: Stepped | None) -> Response:
        """The answer to a change, with the cookie of the session that showed its second factor for it."""
        return self._visitors.keep(response, proof.token, proof.session) if proof else response
