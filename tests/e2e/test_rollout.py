"""A change of settings, or of images, rolls pods under a steady stream of POSTs and GETs; clients notice nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcluster import plan
from tests.e2e.clients import Stream
from tests.e2e.conftest import NAME
from tests.e2e.upgrade import other_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Running


def test_no_request_fails(running: Running, measured: Callable[[str], None]) -> None:
    service, http, datastream = running.service, running.http, running.datastream
    (before,) = service.ready_pods("http")
    with Stream(http, datastream) as writes, Stream(http, datastream, reads=True) as reads:
        writes.await_acknowledged(20)
        service.patch(http={"settings": {"defaultTop": "7"}})
        service.await_pods("http", 1, other_than=before["metadata"]["uid"])
        service.await_ready()
        # The old pod ends only now.
        writes.await_acknowledged(150)
    measured(
        f"{writes.sent} POSTs, {len(writes.failed)} failed; {reads.sent} GETs, {len(reads.failed)} failed "
        f"{[*writes.failed, *reads.failed][:4]}"
    )
    assert len(http.get(f"Datastreams({datastream})/Observations").json["value"]) == 7
    stored = http.results(datastream)
    assert not {number: stored[number] for number in writes.acknowledged if stored[number] != 1}
    assert [*writes.failed, *reads.failed] == []


def test_no_request_fails_by_an_upgrade_of_images(running: Running, measured: Callable[[str], None]) -> None:
    service, http, datastream = running.service, running.http, running.http.create_datastream()
    with Stream(http, datastream) as writes, Stream(http, datastream, reads=True) as reads:
        writes.await_acknowledged(20)
        with other_images(plan.find(NAME), service):
            writes.await_acknowledged(writes.sent + 20)
        writes.await_acknowledged(writes.sent + 20)
    measured(
        f"to another image and back: {writes.sent} POSTs, {len(writes.failed)} failed; "
        f"{reads.sent} GETs, {len(reads.failed)} failed {[*writes.failed, *reads.failed][:4]}"
    )
    stored = http.results(datastream)
    assert not {number: stored[number] for number in writes.acknowledged if stored[number] != 1}
    assert [*writes.failed, *reads.failed] == []
