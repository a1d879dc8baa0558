"""One file per question that a figure answers; `python -m bench` runs them."""
