"""`/livez`, `/readyz` and `/metrics`: what machines ask.

Live is a process that answers. Ready is one that has read everything that was there when it began; it stays ready while Kafka is
away, since what it shows is still what it says it is.
"""

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from processors.insights.exposition import Exposition, Numbers, Segmented, of_itself
from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from processors.metrics.outlines import FunnelOutline, Outlines
from schemas.instants import format_instant


class Probes:
    """Answers machines."""

    def __init__(self, outlines: Outlines, model: ReadModel, progress: Progress) -> None:
        self._outlines = outlines
        self._model = model
        self._progress = progress
        self._exposition = Exposition(outlines)
        self._scraped: tuple[int, bytes] | None = None

    def register(self, app: web.Application) -> None:
        """Serve them."""
        for path, handler in (("/livez", self._livez), ("/readyz", self._readyz), ("/metrics", self._metrics)):
            app.router.add_get(path, handler)

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        status = self._progress.status()
        if status.ready:
            said = f"ok: behind by {status.behind} records"
        else:
            said = f"no: {status.reached} of {status.wanted} records are read" if status.wanted else "no: nothing is read yet"
        if status.silent_since is not None:
            said += f"; Kafka has not answered since {format_instant(status.silent_since)}"
        return web.Response(text=f"{said}\n", status=200 if status.ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        status = self._progress.status()
        records = {topic: self._progress.records.get(topic, 0) for topic in self._model.topics}
        body = of_itself(status, records, self._model.unreadable)
        if status.ready:
            body += await self._model.ask(self._business)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _business(self) -> bytes:
        """Business metrics, made anew only where something has changed; on the thread of the read model."""
        if self._scraped is None or self._scraped[0] != self._model.changes:
            numbers, journal = map(self._numbers, self._outlines.funnels), self._model.journal
            self._scraped = self._model.changes, self._exposition.business(numbers, journal.tallies(), journal.violations())
        return self._scraped[1]

    def _numbers(self, outline: FunnelOutline) -> Numbers:
        segments = [Segmented(segment.name, self._model.split(outline, segment)) for segment in outline.segments]
        return Numbers(outline, self._model.totals(outline), segments)
