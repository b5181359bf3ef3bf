"""`make bench`: the slow figures. Each has a module of its own with its options."""

from bench.corpora import main

main()
