"""How a query becomes a panel of Grafana: graphs over time and single figures, of one look. Used by the dashboards."""

from string import ascii_uppercase
from typing import Final

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from dashboards.query import Query

DATASOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""Whatever Prometheus the city has: a variable of the dashboard."""
_WIDTH: Final = 24
_GRAPH_HEIGHT: Final = 8
_FIGURE_HEIGHT: Final = 4
Words = tuple[tuple[str, str, str], ...]
YES_IS_GOOD: Final[Words] = (("0", "no", "red"), ("1", "yes", "green"))
NO_IS_GOOD: Final[Words] = (("0", "no", "green"), ("1", "yes", "orange"))
DAY_STEPS: Final = ((None, "red"), (7, "orange"), (21, "green"))
"""Days: cert-manager renews a third of a certificate's life before its end, 30 days before that of a public one."""
ZERO_IS_FINE: Final = ((None, "green"), (1, "orange"))
_DASHED: Final = DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [10, 10]})
_NOT_FILLED: Final = DynamicConfigValue(id_val="custom.fillOpacity", value=0)


def graph(  # noqa: PLR0913 - the parts in which graphs differ
    title: str,
    queries: tuple[Query, ...],
    *,
    description: str,
    width: int,
    unit: str = "short",
    bounds: tuple[str, ...] = (),
) -> TimeSeries:
    """Lines over time. ``width`` in 24ths of the page; the lines that ``bounds`` names by their legends are dashed."""
    panel = (
        TimeSeries()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(_GRAPH_HEIGHT)
        .fill_opacity(10)
        .show_points(VisibilityMode.NEVER)
        .legend(
            options.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(options.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query, letter))
    for legend in bounds:
        panel.override_by_name(legend, [_DASHED, _NOT_FILLED])
    return panel


def figure(  # noqa: PLR0913 - the parts in which figures differ
    title: str,
    queries: tuple[Query, ...],
    *,
    description: str,
    width: int,
    unit: str = "short",
    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),),
    words: Words = (),
) -> Stat:
    """The newest value, coloured by ``steps``: each a value from which on a colour holds; the first one's is None.

    ``words`` stand for values: each a value, what is written in its place, and a colour.
    """
    panel = (
        Stat()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(width)
        .height(_FIGURE_HEIGHT)
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(options.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(
            ThresholdsConfig()
            .mode(ThresholdsMode.ABSOLUTE)
            .steps([Threshold(value=value, color=color) for value, color in steps])
        )
        .mappings([_mapping(words)] if words else [])
    )
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query, letter))
    return panel


def timeline(title: str, queries: tuple[Query, ...], *, description: str) -> StateTimeline:
    """A bar for each line of a query, over the whole width, coloured where it is 1."""
    panel = (
        StateTimeline()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(_WIDTH)
        .height(_GRAPH_HEIGHT)
        .show_value(VisibilityMode.NEVER)
        .mappings([_mapping((("0", "no", "text"), ("1", "yes", "blue")))])
    )
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query, letter))
    return panel


def _mapping(words: Words) -> ValueMap:
    return ValueMap(options={value: ValueMappingResult(text=text, color=color) for value, text, color in words})


def _target(query: Query, letter: str) -> Dataquery:
    return Dataquery().ref_id(letter).expr(query.expression).legend_format(query.legend).datasource(DATASOURCE)
