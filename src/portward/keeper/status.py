"""What `portward status` tells: the edge, the configuration, sessions, logs, certificates.

await Status(...).report()       # a dict of plain values, ready for JSON
"""

import os
import platform
from pathlib import Path
from typing import Any

from portward import __version__
from portward.edge.engine import Engine
from portward.edge.publisher import Publisher
from portward.host.paths import State
from portward.keeper.chores import Chores
from portward.keeper.configuration import Configuration, Outcome
from portward.keeper.defending import Defending
from portward.keeper.devices import DeviceChores
from portward.keeper.tunnelling import Tunnelling
from portward.pki.inspection import Report
from portward.pki.own_files import OwnFiles
from portward.store import Store


class Status:
    def __init__(
        self,
        config: Path,
        state: State,
        engine: Engine,
        publisher: Publisher,
        configuration: Configuration,
        own_files: OwnFiles,
        store: Store,
        chores: Chores,
        devices: DeviceChores,
        tunnelling: Tunnelling,
        defending: Defending,
    ) -> None:
        self._tunnelling, self._defending = tunnelling, defending
        self._config, self._state, self._engine, self._publisher = config, state, engine, publisher
        self._configuration, self._own_files, self._store, self._chores = configuration, own_files, store, chores
        self._devices = devices

    async def report(self) -> dict[str, Any]:
        settings = self._configuration.settings
        return {
            "version": __version__,
            "python": platform.python_version(),
            "pid": os.getpid(),
            "state": str(self._state.directory),
            "edge": {
                "engine": self._engine.name,
                "running": await self._publisher.running() is not None,
                "off": self._engine.missing(),
            },
            "configuration": {
                "file": str(self._config.absolute()),
                "applied": _outcome(self._configuration.applied),
                "rejected": _outcome(self._configuration.rejected),
            },
            "tunnels": await self._tunnelling.report(),
            "defence": await self._defending.report(),
            "portal": settings.url(settings.portal_host, "/"),
            "services": len(settings.services),
            "accounts": len(await self._store.accounts.list()),
            "sessions": await self._store.sessions.count(),
            "devices": await self._devices.report(),
            "dropped_log_lines": dict(self._chores.dropped),
            "certificates": [
                {
                    "host": host,
                    "source": certificate.source,
                    "issuer": certificate.issuer,
                    "serial": certificate.serial,
                    "expires": certificate.not_after.isoformat(),
                }
                for host, certificate in self._configuration.certificates.items()
            ],
            "certificate_files": [_file(report) for report in self._own_files.reports],
        }


def _file(report: Report) -> dict[str, Any]:
    return {
        "file": report.file,
        "names": list(report.names),
        "expires": report.expires.isoformat() if report.expires else None,
        "problem": report.problem,
        "remarks": list(report.remarks),
    }


def _outcome(outcome: Outcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    if outcome.error is not None:
        return {"at": outcome.at.isoformat(), "reason": str(outcome.error)}
    return {"at": outcome.at.isoformat(), "how": outcome.how, "summary": outcome.summary}
