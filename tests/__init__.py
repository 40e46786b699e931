"""Sorted by what they prove: unit, property, kafka (a real broker), chaos (kill -9 at random), acceptance (whole data sets)."""
