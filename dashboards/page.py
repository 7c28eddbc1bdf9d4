"""What all dashboards have in common: their head, the variables to choose by, and rows of panels that are numbered."""

from collections.abc import Iterable
from itertools import count

from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    Panel,
    RowPanel,
    VariableRefresh,
    VariableSort,
)

from dashboards import asked
from dashboards.panels import DATASOURCE
from dashboards.query import Query

Rows = Iterable[tuple[str, list[Builder[Panel]]]]


def page(title: str, uid: str, description: str) -> Dashboard:
    """A dashboard without rows, of whichever Prometheus is chosen."""
    return (
        Dashboard(f"SensorThings: {title}")
        .uid(uid)
        .description(description)
        .tags(["sensorthings", "generated"])
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )


def of_a_namespace(built: Dashboard) -> Dashboard:
    """The namespace is chosen at the top."""
    return built.with_variable(_variable("namespace", "Namespace", asked.NAMESPACES, "namespace"))


def of_a_service(built: Dashboard) -> Dashboard:
    """The namespace and a service in it are chosen at the top."""
    return of_a_namespace(built).with_variable(_variable("service", "Service", asked.SERVICE_NAMES, "service"))


def finished(built: Dashboard, rows: Rows, shut: Rows = ()) -> Model:
    """The dashboard with its rows: open ones, then those that somebody opens."""
    for title, panels in rows:
        built.with_row(Row(title))
        for panel in panels:
            built.with_panel(panel)
    for title, panels in shut:
        later = Row(title)
        for panel in panels:
            later.with_panel(panel)
        built.with_row(later)
    return _numbered(built.build())


def _numbered(built: Model) -> Model:
    """Each panel with a number of its own, in the order in which they stand: links to a panel name it."""
    numbers = count(1)
    for panel in built.panels or ():
        panel.id_val = next(numbers)
        for below in panel.panels if isinstance(panel, RowPanel) else ():
            below.id_val = next(numbers)
    return built


def _variable(name: str, label: str, query: Query, value: str) -> QueryVariable:
    """A choice among the values of a label, asked anew when the time range changes: services come and go."""
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(f"label_values({query.expression}, {value})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )
