"""The JSON API: the same answers as the pages, for programs.

A page says beside its numbers that not everything is read yet. A program would take them for the whole: it gets none before.
"""

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web
from multidict import MultiDict, MultiMapping

from processors.insights import shapes
from processors.insights.people import People
from processors.insights.progress import Clock, Progress, Status
from processors.insights.questions import asked_of, bad, count_of, missing, outline_of, rate_of
from processors.insights.read_model import ReadModel
from processors.insights.routes import DAYS, GRAIN, SEGMENT, TEXT, Parameter, Route, describe
from processors.insights.sent import asked, sent, status_of
from processors.insights.settings import InsightsSettings
from processors.metrics.outlines import FunnelOutline
from processors.projection.answers import Value
from processors.projection.totals import SliceTotals

_PAGE, _MOST = 50, 500
"""Transitions in one answer."""
RETRY_AFTER = 5
"""Seconds until it is worth to ask again for what is not read yet."""


class Api:
    """Answers programs.

    Attributes:
        routes: All that can be asked.
    """

    def __init__(self, settings: InsightsSettings, model: ReadModel, progress: Progress, clock: Clock) -> None:
        self._settings = settings
        self._model = model
        self._progress = progress
        self._clock = clock
        self._people = People(settings, model)
        self._run = secrets.token_hex(4)
        numbers = (GRAIN, *DAYS, *SEGMENT)
        limit = Parameter("limit", f"How many, at most {_MOST}.", {"type": "integer", "minimum": 1, "maximum": _MOST})
        one = "/api/v1/funnels/{funnel}"
        self.routes: Sequence[Route] = (
            Route("/api/v1/status", self._status, shapes.Status, "How far insights has read.", always=True),
            Route("/api/v1/funnels", self._funnels, shapes.Funnels, "The funnels, and what can be asked of them.", always=True),
            Route(one, self._funnel, shapes.Funnel, "A funnel in a span of days.", numbers),
            Route(f"{one}/segments/{{segment}}", self._segment, shapes.Segment, "A funnel by a segment.", (GRAIN, *DAYS)),
            Route(
                f"{one}/cohorts",
                self._cohorts,
                shapes.Cohorts,
                "A declared rate by cohort.",
                (Parameter("rate", "Its name, from the list of funnels.", TEXT), *numbers),
            ),
            Route(
                f"{one}/corrections",
                self._corrections,
                shapes.Corrections,
                "As-reported and restated numbers of a span of days, and why they differ.",
                (GRAIN, *DAYS),
            ),
            Route(
                "/api/v1/leads",
                self._find,
                shapes.Found,
                "The handle of an identifier.",
                (Parameter("id", "An identifier, namespace:value.", TEXT),),
            ),
            Route("/api/v1/leads/{handle}", self._lead, shapes.Lead, "A subject: where it stands, its path, the evidence."),
            Route(
                "/api/v1/transitions",
                self._transitions,
                shapes.Transitions,
                "The newest operations, newest first; behind a cursor, oldest first.",
                (Parameter("after", "The cursor of an earlier answer.", TEXT), Parameter("funnel", "Only of it.", TEXT), limit),
            ),
        )

    def register(self, app: web.Application) -> None:
        """Serve every route, and their description."""
        for route in self.routes:
            app.router.add_get(route.path, self._answering(route))
        description = msgspec.json.encode(describe(self.routes, guarded=self._settings.token is not None))

        async def openapi(_: web.Request) -> web.Response:
            return web.Response(body=description, content_type="application/json")

        app.router.add_get("/api/openapi.json", openapi)

    def _answering(self, route: Route) -> Any:
        async def answer(request: web.Request) -> web.Response:
            status = self._progress.status()
            if not (route.always or status.ready):
                raise _not_ready(status)
            return web.Response(body=msgspec.json.encode(await route.handler(request)), content_type="application/json")

        return answer

    async def _status(self, _: web.Request) -> shapes.Status:
        return status_of(self._progress.status())

    async def _funnels(self, _: web.Request) -> shapes.Funnels:
        names = [_name(outline) for outline in self._settings.outlines.funnels]
        return shapes.Funnels(status=status_of(self._progress.status()), funnels=names)

    async def _funnel(self, request: web.Request) -> shapes.Funnel:
        of = await asked_of(self._settings, self._model, request.match_info["funnel"], request.query, self._clock.as_of())
        projection = self._model.projection
        answer = await self._model.ask(lambda: projection.funnel(of.outline, of.of, of.as_of, of.days))
        return sent(shapes.Funnel, answer, **asked(of), versions=projection.versions(of.outline, of.days))

    async def _segment(self, request: web.Request) -> shapes.Segment:
        query = _with(request.query, segment=request.match_info["segment"], value="")
        of = await asked_of(self._settings, self._model, request.match_info["funnel"], query, self._clock.as_of())
        segment = of.segment
        assert segment is not None  # it is in the question
        split = await self._model.ask(lambda: self._model.split(of.outline, segment, of.days))
        described = asked(of)
        described.pop("value")
        return sent(shapes.Segment, described, values=[_value(of.outline, *each) for each in split])

    async def _cohorts(self, request: web.Request) -> shapes.Cohorts:
        of = await asked_of(self._settings, self._model, request.match_info["funnel"], request.query, self._clock.as_of())
        rate, projection = rate_of(of.outline, request.query), self._model.projection
        cohorts = await self._model.ask(lambda: projection.cohorts(of.outline, rate, of.of, of.as_of, of.days))
        period = await self._model.ask(lambda: projection.period(of.outline, rate, of.of, of.days))
        return sent(shapes.Cohorts, asked(of), rate=rate.name, cohorts=cohorts, period=period)

    async def _corrections(self, request: web.Request) -> shapes.Corrections:
        of = await asked_of(self._settings, self._model, request.match_info["funnel"], request.query, self._clock.as_of(), "30d")
        projection = self._model.projection
        differences = await self._model.ask(lambda: projection.reconciled(of.outline, of.of, of.days))
        corrections = await self._model.ask(lambda: projection.corrections(of.outline, of.of, of.days))
        return sent(shapes.Corrections, asked(of), differences=differences, corrections=corrections)

    async def _find(self, request: web.Request) -> shapes.Found:
        found = await self._people.find(request.query.get("id", ""))
        if found is None:
            raise missing("There is no such lead.")
        return shapes.Found(handle=found.handle, subject=found.subject)

    async def _lead(self, request: web.Request) -> shapes.Lead:
        found = await self._people.lead(request.match_info["handle"])
        return shapes.Lead(handle=found.handle, subject=found.subject, snapshots=found.snapshots, path=found.path)

    async def _transitions(self, request: web.Request) -> shapes.Transitions:
        funnel = request.query.get("funnel") or None
        if funnel is not None:
            outline_of(self._settings, funnel, MultiDict())
        limit = count_of(request.query, "limit", _PAGE, _MOST)
        after = self._arrival(request.query.get("after", ""))
        journal = self._model.journal
        if after is None:
            found = await self._model.ask(lambda: journal.recent(limit, funnel))
            reached = await self._model.ask(journal.last_arrival)
        else:
            found = await self._model.ask(lambda: journal.after(after, limit, funnel))
            reached = found[-1].arrival if found else after
        shown = [shapes.Transition(handle=handle, record=record) for handle, record in map(self._people.transition, found)]
        return shapes.Transitions(cursor=f"{self._run}-{reached}", transitions=shown)

    def _arrival(self, cursor: str) -> int | None:
        """Where a cursor points to; None where it is of another process: the newest ones are shown then."""
        run, _, arrival = cursor.partition("-")
        if not cursor or run != self._run:
            return None
        if not (arrival.isascii() and arrival.isdigit() and len(arrival) < 16):  # noqa: PLR2004 - what a number of SQLite holds
            raise bad("after is the cursor of an earlier answer.")
        return int(arrival)


def _not_ready(status: Status) -> web.HTTPServiceUnavailable:
    so_far = f"{status.reached} of {status.wanted} records so far" if status.wanted else "nothing so far"
    return web.HTTPServiceUnavailable(
        headers={"Retry-After": str(RETRY_AFTER)},
        text=f"Insights is still reading what was published before it started ({so_far}), so an answer would leave out the rest. "
        f"Ask again in {RETRY_AFTER} seconds; /api/v1/status says how far it is.",
    )


def _with(query: MultiMapping[str], **more: str) -> MultiDict[str]:
    changed = MultiDict(query)
    changed.update(more)
    return changed


def _name(outline: FunnelOutline) -> shapes.FunnelName:
    places = {kind: [place.name for place in outline.places if place.kind == kind] for kind in ("stage", "detour", "outcome")}
    return shapes.FunnelName(
        funnel=outline.funnel,
        grain=outline.grain,
        version=outline.version,
        stages=places["stage"],
        detours=places["detour"],
        outcomes=places["outcome"],
        conversions=[*outline.conversions],
        segments=[segment.name for segment in outline.segments],
        rates=[rate.name for rate in outline.rates],
    )


def _value(outline: FunnelOutline, value: Value, totals: SliceTotals) -> dict[str, Any]:
    kinds = {place.name: place.kind for place in outline.places}
    return {
        "label": value.label,
        "folded": value.folded,
        "reached": {name: totals.reached.get((kind, name), 0) for name, kind in kinds.items() if kind != "outcome"},
        "ended": {name: totals.standing.get((kind, name), 0) for name, kind in kinds.items() if kind == "outcome"},
    }
