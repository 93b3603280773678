"""Media types of bodies and answers, and which of two a client prefers."""

ARROW = "application/vnd.apache.arrow.stream"
FORM = "application/x-www-form-urlencoded"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
CLOUD_EVENT = "application/cloudevents+json"


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON, or built upon it."""
    return media_type == JSON or media_type.endswith("+json")


def prefers_arrow(accept: str) -> bool:
    """Whether a header names Arrow, and does not prefer JSON."""
    weights = dict(map(_weight, accept.split(",")))
    arrow = weights.get(ARROW, 0.0)
    return arrow > 0 and arrow >= weights.get(JSON, 0.0)


def _weight(media_range: str) -> tuple[str, float]:
    media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media_type, float(value)
            except ValueError:
                return media_type, 0.0
    return media_type, 1.0
