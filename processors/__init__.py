"""What happens to a record, package by package in the order of the data path; ARCHITECTURE.md has the map."""
