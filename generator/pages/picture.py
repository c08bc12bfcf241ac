"""The plan as a picture: from the limits that the profile gives to the numbers that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..plan.plan import Plan
from ..runtime.sizing import Number, memory_cap
from .parts import Chart, Frame, Spec, Table

#: Rows of the picture: memory above, CPU in the middle, connections below.
_MEMORY, _CPU, _CONNECTIONS = range(3)
_GIVEN = "given by the profile"


@dataclass(frozen=True)
class Node:
    """A box: in which step of the calculation and in which row, and what it follows from."""

    name: str
    value: str
    decided_by: str
    reason: str
    step: int
    row: int
    follows: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is shown of it on hover and on focus."""
        return f"{self.name}: {self.value}. {self.reason} (decided by {self.decided_by})"


def nodes(plan: Plan) -> list[Node]:
    """The boxes, left to right."""
    profile, numbers, section = plan.profile, plan.numbers, plan.profile.kubernetes
    cap = memory_cap(numbers.demand, profile.resources.memory)
    found = [
        Node("resources.memory", plan.texts.memory_text, "profile", _GIVEN, 0, _MEMORY),
        Node("resources.cpu", f"{plan.texts.cpu_text} CPU", "profile", _GIVEN, 0, _CPU),
        Node("connections", f"{profile.connections:,}", "profile", _GIVEN, 0, _CONNECTIONS),
        _node("cpus", numbers.cpus, 1, _CPU, "resources.cpu"),
    ]
    bounds = ["cpus"]
    if cap is not None:
        found.append(_node("workers that fit", cap, 1, _MEMORY, "resources.memory", "connections"))
        bounds.append("workers that fit")
    found.append(_node("workers", numbers.workers, 2, _CPU, *bounds))
    holds = ["workers"]
    if numbers.threads is not None:
        found.append(_node("threads", numbers.threads, 2, _MEMORY))
    if numbers.worker_connections is not None:
        found.append(_node("worker_connections", numbers.worker_connections, 3, _CPU, "workers", "connections"))
        holds = ["worker_connections"]
    found.append(_node("descriptors", numbers.descriptors, 4, _CPU, *holds))
    if not plan.server.production:
        return found
    pods = plan.kubernetes
    if pods.replicas is not None:
        found.append(_node("replicas", pods.replicas, 3, _CONNECTIONS, "connections"))
    else:
        reason = f"minimum: {pods.min_replicas.reason}; maximum: {pods.max_replicas.reason}"
        between = Number(pods.min_replicas.value, pods.min_replicas.decided_by, reason)
        value = f"{pods.min_replicas.value} to {pods.max_replicas.value}"
        found.append(_node("replicas", between, 3, _CONNECTIONS, "connections", value=value))
    if pods.backend_connections is not None:
        value = f"{pods.backend_connections.value:,} of {section.backend_connections:,}"
        backend = pods.backend_connections
        found.append(_node("backend_connections", backend, 4, _CONNECTIONS, "replicas", *holds, value=value))
    return found


def _node(name: str, number: Number, step: int, row: int, *follows: str, value: str = "") -> Node:
    return Node(name, value or f"{number.value:,}", number.decided_by, number.reason, step, row, follows)


def picture(plan: Plan) -> Chart:
    """The chart of the boxes and what each follows from."""
    found = nodes(plan)
    rows = [(one.name, one.value, one.decided_by, one.reason, ", ".join(one.follows)) for one in found]
    return Chart(
        "From the limits to the numbers",
        "Each box follows from those that lead to it; its formula is shown on hover and focus, and in the table.",
        lambda frame: _spec(found, frame),
        Table(("number", "value", "decided by", "formula", "follows from"), rows),
        full=True,
    )


def _spec(found: Sequence[Node], frame: Frame) -> Spec:
    """Boxes at places in pixels: steps go to the right, on a phone downwards."""
    across, steps = (3, 5) if frame.narrow else (5, 3)
    width, height = frame.width, (84 if frame.narrow else 92) * steps
    box = (width / across * 0.92, 54) if frame.narrow else (width / across * 0.78, 62)

    def place(one: Node) -> tuple[float, float]:
        column, row = (one.row, one.step) if frame.narrow else (one.step, one.row)
        return (column + 0.5) * width / across, (row + 0.5) * height / steps

    at = {one.name: place(one) for one in found}
    boxes = [
        {
            "name": one.name,
            "value": one.value,
            "by": one.decided_by,
            "text": one.text,
            "given": one.step == 0,
            "x": at[one.name][0],
            "y": at[one.name][1],
            "left": at[one.name][0] - box[0] / 2,
            "right": at[one.name][0] + box[0] / 2,
            "top": at[one.name][1] - box[1] / 2,
            "bottom": at[one.name][1] + box[1] / 2,
        }
        for one in found
    ]
    arrows = [_arrow(at[name], at[one.name], box, frame) for one in found for name in one.follows]
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, width], "nice": False}}
    y = {"type": "quantitative", "axis": None, "scale": {"domain": [height, 0], "nice": False}}
    center = {"x": {**x, "field": "x"}, "y": {**y, "field": "y"}}
    words = {"type": "text", "aria": False, "color": "var(--text)"}
    small = 10 if frame.narrow else 12
    return {
        "width": width,
        "height": height,
        "padding": 0,
        "data": {"values": boxes},
        "layer": [
            {
                "data": {"values": arrows},
                "mark": {"type": "rule", "aria": False, "color": "var(--muted)", "strokeWidth": 1.5},
                "encoding": {**center, "x2": {"field": "x2"}, "y2": {"field": "y2"}},
            },
            {
                "data": {"values": arrows},
                "mark": {
                    "type": "point",
                    "aria": False,
                    "shape": "triangle-down" if frame.narrow else "triangle-right",
                    "filled": True,
                    "size": 60,
                    "opacity": 1,
                    "color": "var(--muted)",
                },
                "encoding": {"x": {**x, "field": "x2"}, "y": {**y, "field": "y2"}},
            },
            {
                "mark": {"type": "rect", "fill": "var(--raised)", "cornerRadius": 6, "strokeWidth": 1.5},
                "encoding": {
                    "x": {**x, "field": "left"},
                    "x2": {"field": "right"},
                    "y": {**y, "field": "top"},
                    "y2": {"field": "bottom"},
                    "stroke": {"condition": {"test": "datum.given", "value": "var(--c1)"}, "value": "var(--c0)"},
                    "description": {"field": "text"},
                },
            },
            {
                "mark": {**words, "fontSize": small, "dy": -box[1] / 2 + small},
                "encoding": {**center, "text": {"field": "name"}},
            },
            {
                "mark": {**words, "fontSize": small + 5, "fontWeight": "bold", "dy": 2},
                "encoding": {**center, "text": {"field": "value"}},
            },
            {
                "mark": {**words, "fontSize": small - 1, "color": "var(--muted)", "dy": box[1] / 2 - small + 2},
                "encoding": {**center, "text": {"field": "by"}},
            },
        ],
    }


def _arrow(
    start: tuple[float, float], end: tuple[float, float], box: tuple[float, float], frame: Frame
) -> dict[str, float]:
    """From one box's far side to the near side of the next; the tip stays outside of it."""
    if frame.narrow:
        return {"x": start[0], "y": start[1] + box[1] / 2, "x2": end[0], "y2": end[1] - box[1] / 2 - 5}
    return {"x": start[0] + box[0] / 2, "y": start[1], "x2": end[0] - box[0] / 2 - 5, "y2": end[1]}
