"""Insights: the Faust application that reads what workers publish, and the pages, API and metrics it serves. Never a writer."""
