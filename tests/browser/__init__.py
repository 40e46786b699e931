"""The pages of insights in a real browser."""
