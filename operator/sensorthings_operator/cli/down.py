"""``sensorthings down``: takes the cluster on this machine away. Registered by the command line's entry module."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.console import Console

from localcluster import cluster
from localcluster.display import Display
from localcluster.errors import LocalClusterError

EXIT_FAILED: Final = 1


def down(name: Annotated[str, typer.Option(help="Name of the cluster.")] = "local") -> None:
    """Take the cluster on this machine down, with all its data; what was built stays cached.

    Takes down what `sensorthings up --name` made, a node or a kind cluster; of a cluster that was there before it takes
    nothing. Leaves no process, mount, namespace, interface, cgroup or packet filter rule. Ends with 0, also when there
    was no cluster, 1 when something stayed (it says what), and 2 when it was called wrongly.
    """
    notes = Console(stderr=True)
    try:
        with Display(notes) as display:
            cluster.down(name, display)
    except LocalClusterError as error:
        notes.print(f"Error: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(EXIT_FAILED) from error
