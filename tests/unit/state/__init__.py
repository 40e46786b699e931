"""Stores and overlays, held against a plain dict."""
