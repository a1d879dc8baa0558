"""What docs/http.md and docs/remote.md tell their reader to run, in their order, at another port."""


def test_every_command_of_the_page_does_what_it_says(served, url, run_page):
    """Each ends well, and prints what stands behind it."""
    assert run_page("http", served, {"http://127.0.0.1:8080": url}) >= 9


def test_every_command_from_another_machine_does_what_it_says(served, url, run_page):
    """As on the machine of the runtime."""
    assert run_page("remote", served, {"http://127.0.0.1:8080": url}) == 5
