"""Every shape that crosses a boundary: facts, definitions, the application's configuration, published records."""
