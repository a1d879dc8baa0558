"""What docs/http.md tells its reader to run, in its order, at another port."""


def test_every_command_of_the_page_does_what_it_says(served, url, run_page):
    """Each ends well, and prints what stands behind it."""
    assert run_page("http", served, {"http://127.0.0.1:8080": url}) >= 9
