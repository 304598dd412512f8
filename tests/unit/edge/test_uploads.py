"""Which bodies are cut, from what HAProxy says of its streams."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from portward.config import Settings
from portward.edge.runtime import Runtime
from portward.edge.uploads import Cut, Policy, Upload, Uploads, policy_of, uploads_in

LISTED = (
    "0xa1: proto=tcpv4 src=192.0.2.7:48452 fe=https be=services srv=wiki-0a1b2c3d ts=00 epoch=0 age=1s calls=2 rate=0 "
    "cpu=0 lat=0 rq[f=c40080h,i=0,an=8000h,rx=,wx=,ax=] rp[f=80400000h,i=0,an=1400000h,rx=58s,wx=,ax=] scf=[8,0h,fd=15]"
)
IDLE = (
    "0xa2: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=0 cpu=0 lat=0 "
    "rq[f=c08000h,i=0,an=00h,rx=,wx=,ax=] rp[f=80008002h,i=0,an=00h,rx=,wx=,ax=] scf=[8,200h,fd=22]"
)
OF_2_6 = """\
{pointer}: [20/Nov/2026:19:47:06.655243] id={number} proto=tcpv4 source=192.0.2.7:48452
  flags=0x84a, conn_retries=0, conn_exp=<NEVER> conn_et=0x000 srv_conn=0x5567ae4038b0, pend_pos=(nil) waiting=0 epoch=0
  frontend=https (id=4 mode=http), listener=? (id=1) addr=127.0.0.1:8443
  backend=services (id=5 mode=http) addr=127.0.0.1:47774
  server=wiki-0a1b2c3d (id=1) addr=127.0.0.1:3000
  txn=0x5567ae5e4710 flags=0x0 meth=3 status=-1 req.st={state} rsp.st={answer} req.f=0x0d rsp.f=0x00
  req=0x5567ae4c4ca0 (f=0xc40080 an=0x8000 pipe=0 tofwd=-1 total={total})
      an_exp=<NEVER> rex=<NEVER> wex=<NEVER>
      buf=0x5567ae4c4ca8 data={data} o=0 p=0 i=0 size=0
      htx=0x556793006800 flags=0x0 size=0 data=0 used=0 wrap=NO extra=0
  res=0x5567ae4c4d00 (f=0x80400000 an=0x1400000 pipe=0 tofwd=0 total=0)
      buf=0x5567ae4c4d08 data=0x1 o=0 p=0 i=0 size=0
"""
OF_3_2 = (
    OF_2_6.replace(" pipe=0", "")
    .replace("      an_exp=<NEVER> rex=<NEVER> wex=<NEVER>\n", "")
    .replace("      buf=", "      an_exp=<NEVER> buf=")
)


def block(form: str = OF_2_6, **more: object) -> str:
    fields = {"pointer": "0xa1", "number": 42, "state": "MSG_DATA", "answer": "MSG_RPBEFORE", "total": 63}
    return form.format(**{**fields, "data": "(nil)", **more})


class FakeRuntime:
    def __init__(self) -> None:
        self.details = {"0xa1": block()}
        self.streams = ""
        self.killed: list[str] = []

    async def ask_everywhere(self, _: str) -> list[tuple[int | None, str]]:
        return [(None, f"{LISTED}\n{IDLE}\n")]

    async def ask_worker(self, _: int | None, command: str) -> str:
        if command.startswith("show map"):
            return self.streams
        if command.startswith("shutdown"):
            self.killed.append(command.rpartition(" ")[2])
        return "\n".join(self.details.get(part.rpartition(" ")[2], "") for part in command.split("; "))


class Watch:
    """Looks with a clock of its own: half a minute of 240 bytes per second, and 1000 bytes at most for `long`."""

    def __init__(self) -> None:
        self.runtime, self.now = FakeRuntime(), 0.0
        policy = Policy(minimum=240, window=30.0, longest={"long": 1000})
        self.uploads = Uploads(
            cast("Runtime", self.runtime), Path("/streams.map"), lambda: policy, clock=lambda: self.now
        )

    def look(self, at: float, **more: object) -> list[str]:
        self.now = at
        self.runtime.details["0xa1"] = block(**more)  # type: ignore[arg-type]
        asyncio.run(self.uploads.look())
        return self.runtime.killed


@pytest.mark.parametrize("form", [OF_2_6, OF_3_2], ids=["2.6", "3.2"])
def test_a_body_on_its_way_is_read_from_the_list_of_streams(form: str) -> None:
    assert list(uploads_in(block(form))) == [Upload("0xa1", "42", "wiki-0a1b2c3d", 63, waits=False, answered=False)]
    (waiting,) = uploads_in(block(form, data="0x7fe7", answer="MSG_DATA"))
    assert waiting.waits
    assert waiting.answered


def test_a_body_that_is_complete_is_none_on_its_way() -> None:
    assert list(uploads_in(block(state="MSG_DONE") + block(pointer="0xa3", state="MSG_TUNNEL"))) == []


def test_what_one_stream_says_is_never_taken_for_another() -> None:
    broken = block().partition("  req=")[0]
    assert [upload.pointer for upload in uploads_in(broken + block(pointer="0xa3"))] == ["0xa3"]


def test_a_slow_body_is_cut_after_a_whole_window_and_not_before() -> None:
    watch = Watch()
    assert watch.look(0, total=63) == []
    assert watch.look(29, total=100) == []
    assert watch.look(31, total=200) == ["0xa1"]
    assert watch.uploads.reason("9A3B-1765000000-42") == Cut("slow", "4 bytes per second, less than 240")
    assert watch.uploads.reason("9A3B-1765000000-43") is None


def test_a_body_that_keeps_coming_is_never_cut() -> None:
    watch = Watch()
    for step in range(20):
        assert watch.look(step * 20, total=63 + step * 20 * 240) == []


@pytest.mark.parametrize("fault", [{"data": "0x7fe7"}, {"answer": "MSG_DATA"}], ids=["slow to take it", "answers"])
def test_time_in_which_the_service_is_at_fault_does_not_count(fault: dict[str, object]) -> None:
    watch = Watch()
    assert watch.look(0) == []
    assert watch.look(20, **fault) == []
    assert watch.look(40) == []
    assert watch.look(51) == ["0xa1"]


def test_streams_that_are_meant_to_stay_are_let_be() -> None:
    watch = Watch()
    watch.runtime.streams = "0x55 42 s3ss10n\n"
    assert watch.look(0) == watch.look(100) == []


def test_a_body_that_turns_out_too_long_is_cut_at_once() -> None:
    watch = Watch()
    watch.runtime.details["0xa1"] = ""
    assert watch.look(0, form=OF_2_6.replace("wiki-0a1b2c3d", "long-0a1b2c3d"), total=1000 + 32 * 1024) == []
    assert watch.look(5, form=OF_2_6.replace("wiki-0a1b2c3d", "long-0a1b2c3d"), total=1001 + 32 * 1024) == ["0xa1"]
    found = watch.uploads.reason("9A3B-1765000000-42")
    assert found
    assert found.rule == "too_large"


def test_each_part_of_a_service_has_the_services_limit() -> None:
    services = {
        "wiki": {"upstream": "demo", "limits": {"body": "1KB"}, "routes": [{"path": "/deep", "access": "public"}]},
        "shop": {"upstream": "demo"},
    }
    made = policy_of(Settings.model_validate({"services": services}))
    assert made == Policy(minimum=240, window=30.0, longest={"wiki": 1024, "wiki:deep": 1024})
    everywhere = policy_of(Settings.model_validate({"services": services, "limits": {"body": "2KB"}}))
    assert everywhere.longest["shop"] == 2048
