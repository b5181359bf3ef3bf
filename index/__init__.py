"""What is known: records, the DuckDB store and its migrations, vectors, search."""

# Stands in every release and in the hash of what each thread's drafts depend on. The same as in pyproject.toml.
CODE_VERSION = "0.2.0"
