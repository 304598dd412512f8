"""A directory on the web, read-only: files, index.html, and lists of what else there is.

async with serving_folder(Path("public"), Path("/run/user/1000/portward/files.sock")): ...

Nothing that begins with a dot is shown or served, and no link leads out of the directory.
"""

import html
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from portward.host.files import private_directory
from portward.host.serving import serving

_MOST_ENTRIES = 10_000
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:16px/1.6 system-ui;margin:2rem auto;max-width:50rem;padding:0 1rem}}
table{{width:100%}}td+td{{text-align:right;color:#777}}</style>
<h1>{title}</h1>
<table>
{rows}
</table>
"""


class Folder(StaticFiles):
    """An ASGI app. Raises nothing but what it answers."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, html=True)
        self._root = Path(os.path.realpath(directory))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except HTTPException as error:
            text = "not found\n" if error.status_code == 404 else "this is read-only\n"
            await Response(text, error.status_code, error.headers, "text/plain")(scope, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        entries = await self._entries(path) if scope["method"] in ("GET", "HEAD") else None
        if entries is not None and not scope["path"].endswith("/"):
            # Relative, so that whatever name and scheme the visitor came by are kept.
            return RedirectResponse(quote(f"./{Path(scope['path']).name}/"))
        if entries is not None and all(entry.name != "index.html" for entry in entries):
            return HTMLResponse(_page(scope["path"], entries))
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            # What may not be read is not there.
            raise HTTPException(404 if error.status_code == 401 else error.status_code, headers=error.headers) from None

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        found, status = super().lookup_path(path)
        if status and (_is_hidden(path) or _is_hidden(os.path.relpath(found, self._root))):
            return "", None
        return found, status

    async def _entries(self, path: str) -> list[os.DirEntry[str]] | None:
        """None where there is no directory."""
        try:
            return await anyio.to_thread.run_sync(self._listed, path)
        except (OSError, ValueError):
            return None

    def _listed(self, path: str) -> list[os.DirEntry[str]] | None:
        found, status = self.lookup_path(path)
        if not status or not stat.S_ISDIR(status.st_mode):
            return None
        with os.scandir(found) as entries:
            shown = [entry for entry in entries if self._is_shown(path, entry)]
        return sorted(shown, key=lambda entry: (not entry.is_dir(), entry.name.lower()))[:_MOST_ENTRIES]

    def _is_shown(self, path: str, entry: os.DirEntry[str]) -> bool:
        _, status = self.lookup_path(os.path.join(path, entry.name))
        return status is not None and (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))


@asynccontextmanager
async def serving_folder(directory: Path, socket: Path) -> AsyncIterator[None]:
    """Serve it at a Unix socket (0600) while the block runs."""
    private_directory(socket.parent)
    async with serving(Folder(directory), socket):
        yield


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") and part != "." for part in path.split(os.sep))


def _page(path: str, entries: list[os.DirEntry[str]]) -> str:
    above = [] if path == "/" else ['<tr><td><a href="../">../</a><td>']
    return _PAGE.format(title=html.escape(path), rows="\n".join([*above, *map(_row, entries)]))


def _row(entry: os.DirEntry[str]) -> str:
    mark = "/" if entry.is_dir() else ""
    # Also a name such as `javascript:x` leads to a file beside this page.
    link = quote(f"./{entry.name}{mark}", errors="surrogateescape")
    name = html.escape(entry.name.encode(errors="replace").decode() + mark)
    status = entry.stat()
    size = "" if mark else f"{status.st_size:,}"
    return f'<tr><td><a href="{link}">{name}</a><td>{size}<td>{formatdate(status.st_mtime, usegmt=True)}'
