"""Many visitors at once: each gets the whole page, and memory stays where it was."""

import asyncio
import gc
import resource

import aiohttp
import pytest

from tests.insights_site import Site

VISITORS = 200
MOST_GROWTH = 40 << 10
"""KiB by which memory may grow from one crowd to the next; a page is some 20 KiB."""
PATHS = (
    "/",
    "/funnels/revenue?segment=source",
    "/funnels/revenue/cohorts",
    "/transitions",
    "/api/v1/funnels/revenue",
    "/metrics",
)


@pytest.mark.slow
def test_two_hundred_visitors_at_once(site: Site) -> None:
    alone = {path: site.get(path).body for path in PATHS}
    asyncio.run(crowd(site, alone))
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        asyncio.run(crowd(site, alone))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_GROWTH


async def crowd(site: Site, alone: dict[str, str]) -> None:
    connections = aiohttp.TCPConnector(limit=VISITORS)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}", connector=connections) as session:

        async def visit(path: str) -> tuple[int, str, str]:
            async with session.get(path) as answer:
                return answer.status, path, await answer.text()

        answers = await asyncio.gather(*(visit(PATHS[number % len(PATHS)]) for number in range(VISITORS)))
    assert {status for status, _, _ in answers} == {200}
    assert all(body == alone[path] for _, path, body in answers)
