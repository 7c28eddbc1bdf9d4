"""A CKAN in memory, as much of it as the operator asks for, on a port of the loopback.

What it answers was seen of CKAN 2.12.0: the same contract runs on both (tests/ckan/contract.py).
"""

import json
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from uuid import uuid4

_NAME: Final = re.compile(r"[a-z0-9_-]{2,100}")
_TAG: Final = re.compile(r"[\w .-]{2,100}")
_EXTRA: Final = re.compile(r'extras_(\w+):"([^"]*)"')
_ORGANIZATION: Final = re.compile(r"organization:(\S+)")

Json = dict[str, Any]


class Refused(Exception):  # noqa: N818 - an answer
    """An answer other than 200."""

    def __init__(self, status: int, error: Json) -> None:
        super().__init__(status)
        self.status = status
        self.error = error


_FORBIDDEN: Final = Refused(403, {"message": "Access denied", "__type": "Authorization Error"})
_MISSING: Final = Refused(404, {"message": "Not found", "__type": "Not Found Error"})


class FakeCkan:
    """Tokens, organizations, entries, and an index that can go."""

    def __init__(self) -> None:
        self.admin = f"admin-{secrets.token_hex(8)}"
        self.editors: dict[str, str] = {}
        """Organization by token."""
        self.entries: dict[str, Json] = {}
        self.index: dict[str, Json] = {}
        self.index_is_up = True
        self.next_answer: tuple[int, bytes] | None = None
        """Given instead of the right answer, once."""
        self._calls: list[str] = []
        self.url = ""

    @contextmanager
    def served(self) -> Iterator[None]:
        """On a port of the loopback."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, answer = fake.answer(self.path, self.headers.get("Authorization", ""), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                if status in range(300, 400):
                    self.send_header("Location", "https://elsewhere.example/")
                self.end_headers()
                # Whoever asked may have heard enough.
                with suppress(ConnectionError):
                    self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def editor(self, organization: str) -> str:
        """A token of somebody who may make datasets in a new organization."""
        token = f"token-{secrets.token_hex(8)}"
        self.editors[token] = organization
        return token

    def calls(self) -> list[str]:
        """Actions since this was asked last."""
        made, self._calls = self._calls, []
        return made

    def start_solr(self) -> None:
        """The index is back."""
        self.index_is_up = True

    def stop_solr(self) -> None:
        """The index goes."""
        self.index_is_up = False

    def empty_index(self) -> None:
        """The index forgets everything."""
        self.index.clear()

    def call(self, action: str, body: Json, token: str) -> Any:
        """An action as somebody; its result."""
        return self._act(action, body, token)

    def answer(self, path: str, token: str, body: bytes) -> tuple[int, bytes]:
        """What a request is answered."""
        action = path.removeprefix("/api/3/action/")
        self._calls.append(action)
        if self.next_answer is not None:
            given, self.next_answer = self.next_answer, None
            return given
        try:
            result = self._act(action, json.loads(body), token)
        except Refused as refused:
            return refused.status, json.dumps({"success": False, "error": refused.error}).encode()
        return 200, json.dumps({"success": True, "result": result}).encode()

    def _act(self, action: str, body: Json, token: str) -> Any:
        copied: Json = json.loads(json.dumps(body))
        return getattr(self, f"_{action}")(copied, token)

    def _organization_list_for_user(self, _: Json, token: str) -> list[Json]:
        return [{"name": self.editors[token]}] if token in self.editors else []

    def _package_search(self, body: Json, token: str) -> Json:
        if not self.index_is_up:
            raise Refused(500, {"message": "Search Connection Error: ...", "__type": "Search Error"})
        found = [each for each in self.index.values() if each["state"] == "active" and self._sees(each, token)]
        if wanted := _EXTRA.search(body["fq"]):
            found = [each for each in found if _extras(each).get(wanted[1]) == wanted[2]]
        if wanted := _ORGANIZATION.search(body["fq"]):
            found = [each for each in found if each["organization"]["name"] == wanted[1]]
        return {"count": len(found), "results": found}

    def _package_show(self, body: Json, token: str) -> Json:
        live = self.entries.get(body["id"]) or self._named(body["id"])
        if live is None:
            raise _MISSING
        if not self._sees(live, token):
            raise _FORBIDDEN
        return live

    def _package_create(self, body: Json, token: str) -> Json:
        live = {
            "id": str(uuid4()),
            "state": "active",
            "private": False,
            "title": "",
            "notes": "",
            "tags": [],
            "extras": [],
            "resources": [],
            **body,
        }
        return self._write(live, token, made=True)

    def _package_patch(self, body: Json, token: str) -> Json:
        live = self.entries.get(body["id"]) or _raise(_MISSING)
        return self._write({**live, **body}, token)

    def _package_delete(self, body: Json, token: str) -> None:
        live = self.entries.get(body["id"]) or self._named(body["id"]) or _raise(_MISSING)
        self._write({**live, "state": "deleted"}, token)

    def _write(self, live: Json, token: str, *, made: bool = False) -> Json:
        organization = live.get("owner_org")
        if token != self.admin and self.editors.get(token) != organization:
            raise _FORBIDDEN
        self._validate(live, made=made)
        if not self.index_is_up:
            raise Refused(500, {"message": "Search Index Error: ...", "__type": "Search Error"})
        live["organization"] = {"name": organization}
        live["resources"] = [{"id": str(uuid4()), **each} for each in live["resources"]]
        live["tags"] = sorted(live["tags"], key=lambda each: str(each["name"]))
        self.entries[live["id"]] = self.index[live["id"]] = live
        return live

    def _validate(self, live: Json, *, made: bool) -> None:
        wrong: dict[str, list[str]] = {}
        other = self._named(live["name"])
        if not _NAME.fullmatch(live["name"]):
            wrong["name"] = ["Must be purely lowercase alphanumeric (ascii) characters and these symbols: -_"]
        elif other is not None and (made or other["id"] != live["id"]):
            wrong["name"] = ["That URL is already in use."]
        if any(not _TAG.fullmatch(tag["name"]) for tag in live["tags"]):
            wrong["tags"] = ["can only contain alphanumeric characters, spaces, hyphens, underscores or dots"]
        if len({each["key"] for each in live["extras"]}) < len(live["extras"]):
            wrong["extras_validation"] = ["There is a schema field with the same name"]
        if wrong:
            raise Refused(409, {**wrong, "__type": "Validation Error"})

    def _named(self, name: str) -> Json | None:
        """Not one that is deleted: its name is free."""
        return next((e for e in self.entries.values() if e["name"] == name and e["state"] == "active"), None)

    def _sees(self, live: Json, token: str) -> bool:
        return not live["private"] or token == self.admin or self.editors.get(token) == live["owner_org"]


def _extras(live: Mapping[str, Any]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in live["extras"]}


def _raise(error: Refused) -> Json:
    raise error
