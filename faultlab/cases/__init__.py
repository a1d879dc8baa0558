"""The cases: each a function of its runs that returns its row. `catalogue` lists them."""
