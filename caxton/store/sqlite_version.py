"""Which SQLite this Python has."""

import sqlite3

SQLITE_VERSION = sqlite3.sqlite_version
