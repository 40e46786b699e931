"""A definition as small as can be, for tests of what is around it; further stages, or policies, may be written below it."""

SMALL = """\
funnel: small
version: 1
owner: o
reason: r
effective_from: 2020-01-01T00:00:00Z
subject: lead
conversions: [{name: demo, description: d, when: {event: Demo}, count: every}]
stages:
  - {name: asked, description: d, when: {conversion: demo}}
"""
