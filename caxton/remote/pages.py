"""Where a listing is that comes page by page: it goes on, or it ends. Pure."""

from caxton.errors import NetworkError
from caxton.printable import shown


class Cursor:
    """What to give as `after` for the next page, None at the end.

    Every page that goes on has something, and no cursor comes again: it is compared with the one before it and with one
    further back, which is moved on in steps that double, so whoever goes round in a circle is found.
    """

    def __init__(self, url: str, after: str | None) -> None:
        self._url = url
        self._pages = 0
        self._earlier: str | None = None
        self.after = after

    def turn(self, count: int, following: str | None) -> bool:
        """Turn over a page with `count` entries; returns whether there is another one behind it.

        Raises NetworkError for a listing that would never end.
        """
        if following is not None:
            if not count:
                raise NetworkError(self._url, f"a page of its list is empty, and goes on behind {shown(following)}")
            if following in (self.after, self._earlier):
                raise NetworkError(self._url, f"its list comes to {shown(following)} again and does not end")
        self._pages += 1
        if not self._pages & (self._pages - 1):
            self._earlier = following
        self.after = following
        return following is not None
