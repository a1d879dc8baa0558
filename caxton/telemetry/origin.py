"""Who tells a collector something: the resource and the scope of all that is exported."""

import os

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from caxton import __version__
from caxton.wire.span import SCHEMA_URL

SCOPE = InstrumentationScope("caxton", __version__, SCHEMA_URL)


def resource() -> Resource:
    """Return what the environment says this is, and caxton where it names no service."""
    found = Resource.create()
    is_named = not str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    return found if is_named else found.merge(Resource({SERVICE_NAME: "caxton"}))


def is_wanted(signal: str) -> bool:
    """Whether a signal is exported: unless its variable, such as OTEL_LOGS_EXPORTER, is `none`."""
    return os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() != "none"
