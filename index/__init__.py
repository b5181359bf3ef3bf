"""What is known: records, the DuckDB store and its migrations, vectors, search."""
