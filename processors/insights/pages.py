"""The pages for people: each question becomes values, and a template makes a page of them, and escapes what it is given."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from processors.insights import views
from processors.insights.access import Access, own_address
from processors.insights.formatting import FILTERS
from processors.insights.people import People
from processors.insights.progress import Clock, Progress
from processors.insights.questions import RECENT, Asked, asked_of, missing, outline_of
from processors.insights.read_model import ReadModel
from processors.insights.settings import InsightsSettings
from processors.metrics.outlines import FunnelOutline

_RECENT = 50
"""Transitions on the page of what happened last."""


class Pages:
    """Answers people."""

    def __init__(self, settings: InsightsSettings, model: ReadModel, progress: Progress, clock: Clock, access: Access) -> None:
        self._settings = settings
        self._model = model
        self._progress = progress
        self._clock = clock
        self._access = access
        self._people = People(settings, model)
        self._templates = Environment(
            loader=PackageLoader(__package__ or "processors.insights"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)

    def register(self, app: web.Application) -> None:
        """Serve every page."""
        pages = {
            "/": self._overview,
            "/funnels/{funnel}": self._funnel,
            "/funnels/{funnel}/cohorts": self._cohorts,
            "/funnels/{funnel}/time": self._time,
            "/funnels/{funnel}/corrections": self._corrections,
            "/leads": self._find,
            "/leads/{handle}": self._lead,
            "/transitions": self._transitions,
            "/definitions": self._definitions,
            "/definitions/{funnel}": self._definition,
            "/login": self._login,
        }
        for path, handler in pages.items():
            app.router.add_get(path, handler)
        app.router.add_post("/login", self._enter)

    def refused(self, code: int, sentence: str) -> web.Response:
        """A page that says why there is no other."""
        return self._page("refused.html", code, title="Nothing to show", sentence=sentence, number=code)

    async def _overview(self, _: web.Request) -> web.Response:
        as_of, projection = self._clock.as_of(), self._model.projection
        outlines = self._settings.outlines.funnels
        answers = await self._model.ask(
            lambda: [projection.funnel(outline, projection.all(outline), as_of) for outline in outlines]
        )
        cards = [views.card(outline, answer) for outline, answer in zip(outlines, answers, strict=True)]
        return self._page("overview.html", title="Funnels", cards=cards)

    async def _funnel(self, request: web.Request) -> web.Response:
        of = await self._asked(request)
        projection = self._model.projection
        answer = await self._model.ask(lambda: projection.funnel(of.outline, of.of, of.as_of, of.days))
        split: Sequence[views.SplitRow] = ()
        if of.segment is not None and of.value is None:
            segment = of.segment
            parts = await self._model.ask(lambda: self._model.split(of.outline, segment, of.days))
            split = [views.split_row(of.outline, value, totals) for value, totals in parts]
        return await self._of_funnel(
            request,
            of,
            "funnel.html",
            steps=views.steps(answer),
            answer=answer,
            split=split,
            versions=projection.versions(of.outline, of.days),
        )

    async def _cohorts(self, request: web.Request) -> web.Response:
        of = await self._asked(request)
        projection = self._model.projection
        found = await self._model.ask(
            lambda: [
                (
                    rate,
                    projection.cohorts(of.outline, rate, of.of, of.as_of, of.days),
                    projection.period(of.outline, rate, of.of, of.days),
                )
                for rate in of.outline.rates
            ]
        )
        found.sort(key=lambda each: ("day", "week", "month").index(each[0].cohort))
        maps = [views.heat_map(bucket, [*rates]) for bucket, rates in groupby(found, key=lambda each: each[0].cohort)]
        return await self._of_funnel(request, of, "cohorts.html", maps=maps, versions=projection.versions(of.outline, of.days))

    async def _time(self, request: web.Request) -> web.Response:
        of = await self._asked(request)
        projection = self._model.projection
        answer = await self._model.ask(lambda: projection.funnel(of.outline, of.of, of.as_of, of.days))
        whole = await self._model.ask(
            lambda: [(rate, projection.cohort(of.outline, rate, of.of, of.as_of, of.days)) for rate in of.outline.rates]
        )
        return await self._of_funnel(request, of, "time.html", answer=answer, rates=whole)

    async def _corrections(self, request: web.Request) -> web.Response:
        of = await self._asked(request, "30d")
        projection = self._model.projection
        differences = await self._model.ask(lambda: projection.reconciled(of.outline, of.of, of.days))
        corrections = await self._model.ask(lambda: projection.corrections(of.outline, of.of, of.days))
        return await self._of_funnel(request, of, "corrections.html", differences=differences, corrections=corrections)

    async def _find(self, request: web.Request) -> web.Response:
        identifier = request.query.get("id", "")
        if identifier:
            found = await self._people.find(identifier)
            if found is not None:
                raise web.HTTPSeeOther(f"/leads/{found.handle}")
        return self._page("leads.html", title="Leads", identifier=identifier[:200], looked=bool(identifier))

    async def _lead(self, request: web.Request) -> web.Response:
        lead = await self._people.lead(request.match_info["handle"])
        return self._page("lead.html", title=lead.subject, lead=lead)

    async def _transitions(self, request: web.Request) -> web.Response:
        funnel = request.query.get("funnel") or None
        if funnel is not None:
            outline_of(self._settings, funnel, request.query)
        found = await self._model.ask(lambda: self._model.journal.recent(_RECENT, funnel))
        rows = [*map(self._people.transition, found)]
        return self._page("transitions.html", title="What happened last", rows=rows, funnel=funnel, names=self._names)

    async def _definitions(self, _: web.Request) -> web.Response:
        return self._page("definitions.html", title="Definitions", catalogue=views.catalogue(self._settings.funnels))

    async def _definition(self, request: web.Request) -> web.Response:
        found = views.definition(self._settings.funnels, request.match_info["funnel"])
        if found is None:
            raise missing("There is no such funnel.")
        return self._page("definition.html", title=found.name, definition=found)

    async def _login(self, request: web.Request) -> web.Response:
        return self._page("login.html", title="Log in", next=own_address(request.query.get("next", "/")), wrong=False)

    async def _enter(self, request: web.Request) -> web.Response:
        form = await _form(request)
        destination = own_address(str(form.get("next", "/")))
        if not self._access.knows(str(form.get("token", "")).strip()):
            await self._access.hesitate()
            return self._page("login.html", 401, title="Log in", next=destination, wrong=True)
        answer = web.Response(status=303, headers={"Location": destination})
        self._access.admit(request, answer)
        return answer

    @property
    def _names(self) -> list[str]:
        return [*dict.fromkeys(outline.funnel for outline in self._settings.outlines.funnels)]

    async def _asked(self, request: web.Request, whole: str = "all") -> Asked:
        as_of = self._clock.as_of()
        return await asked_of(self._settings, self._model, request.match_info["funnel"], request.query, as_of, whole)

    async def _of_funnel(self, request: web.Request, of: Asked, template: str, **more: Any) -> web.Response:
        """A page of one funnel: what was asked stands in a form above the answer, and in the links to the others."""
        segment = of.segment
        values = await self._model.ask(lambda: self._model.values(of.outline, segment)) if segment is not None else []
        return self._page(
            template,
            title=of.outline.funnel,
            of=of,
            grains=self._grains(of.outline),
            values=values,
            periods=["all", *RECENT],
            query=request.query_string,
            path=request.path,
            **more,
        )

    def _grains(self, outline: FunnelOutline) -> list[str]:
        return [each.grain for each in self._settings.outlines.funnels if each.funnel == outline.funnel]

    def _page(self, template: str, code: int = 200, **values: Any) -> web.Response:
        common = {"application": self._settings.application, "status": self._progress.status()}
        text = self._templates.get_template(template).render(common | values)
        return web.Response(text=text, content_type="text/html", status=code)


async def _form(request: web.Request) -> Mapping[str, object]:
    """The fields of a form; whatever is wrong with one is the sender's, and no bug of ours."""
    try:
        return await request.post()
    except web.HTTPException:
        raise
    except Exception as why:
        raise web.HTTPBadRequest(text="the form cannot be read") from why
