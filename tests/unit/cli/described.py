"""Definitions that use what `graph` and `docs` describe: a library, two versions of a funnel, and every kind of place."""

from pathlib import Path

LIBRARY = """\
owner: marketing
version: 3
conversions:
  - {name: demo_request, description: Asked for a demo., when: {event: Demo Requested}}
  - {name: free_sign_up, description: Opened an account., when: {event: Signed Up, event.properties.plan: [free, trial]},
     count: {once_per_window: 1d}, exclusive: sign_up}
  - {name: paid_sign_up, description: Bought at once., owner: product,
     when: {event: Signed Up}, count: once_per_lead, exclusive: sign_up}
"""
FUNNEL = """\
funnel: sales
version: {version}
owner: revops
reason: {reason}
effective_from: {start}
subject: lead
also: [deal]
conversions:
  - {{name: talk, description: Sales talked., owner: sales, when: {{event: [Call, Visit], if: {{lead.score: {{at_least: 5}}}}}}}}
stages:
  - {{name: end, description: 'Says "yes" & asks.', when: {{conversion: demo_request}}, expires: {{after: 30d, anchor: last}},
     optional: true}}
  - {{name: sql, while: {{happened: [talk, demo_request], not: {{deal.stage: lost}}}}, lapse: keep, sla: 5d, at: deal.created_at}}
  - {{name: again, when: {{event: Recycled}}, resets: true}}
detours: [{{name: paused, description: Said no for now., while: {{lead.status: paused}}}}]
outcomes:
  - {{name: won, result: won, while: {{deal.is_won: true, deal.closed_at: {{passed: true}}}}}}
  - {{name: lost, result: lost, while: [{{deal.stage: lost}}, {{deal.stage: {{below: lead_in, of: steps}}}}]}}
orderings: {{steps: [none, lead_in]}}
policies: {{backward: flag, after_outcome: reenter}}
segments: {{source: {{value: [event.campaign.source, lead.source], rule: first_touch, touch: {{event: Call}}, top: 7}}}}
value: {{amount: deal.amount, currency: deal.currency}}
rates: [{{from: sql, to: won, within: 90d, cohort: week}}, {{from: end, to: sql, count: touched, entries: every}}]
retired: {{mql: sql, sal: remove}}
"""
VERSION_1 = """\
funnel: sales
version: 1
owner: growth
reason: First.
effective_from: 2026-01-01
subject: lead
also: [deal]
stages: [{name: mql, when: {event: A}}, {name: sal, while: {deal.stage: open}}]
"""


def write(folder: Path) -> Path:
    """The folder, with the library, the two versions and another funnel."""
    (folder / "shared.yml").write_text(LIBRARY)
    (folder / "sales-1.yml").write_text(VERSION_1)
    (folder / "sales-2.yml").write_text(FUNNEL.format(version=2, reason="Deals | count.", start="2026-03-01"))
    (folder / "web.yml").write_text(
        "funnel: web\nversion: 1\nowner: web\nreason: r\neffective_from: 2026-01-01\nsubject: visitor\n"
        "stages: [{name: asked, when: {conversion: demo_request}}]\n"
    )
    return folder
