"""The laboratory of faults: it kills, cuts and fills a real runtime, and compares sets of ids. `python -m faultlab`."""
