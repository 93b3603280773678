"""Statuses: what each means, to be told to those who write clients.

Which failure has which is for `metering.server.api.errors` to say.
"""

_MEANINGS = {
    400: "The request is malformed, or what is recorded does not allow it.",
    401: "The request has no key, or none that opens this server.",
    403: "The scopes of the key do not allow it.",
    404: "There is no such resource.",
    408: "The body stopped to come.",
    409: "Another request is in its way, or the log does not go as far as is asked for.",
    413: "The body is too large.",
    415: "The body is in a media type that the route does not take.",
    429: "The key makes more requests than it may, or the store is busy.",
    500: "The server is at fault.",
}


def failures(*, is_by_id: bool, needs_scope: bool, takes_rows: bool) -> dict[int, str]:
    """Say by which statuses the requests for a route can fail, and what they mean.

    Args:
        is_by_id: whether the path names a resource.
        needs_scope: whether a key opens it that may be a restricted one.
        takes_rows: whether its body is one of rows.
    """
    can_be = {403: needs_scope, 404: is_by_id, 415: takes_rows}
    return {
        status: meaning
        for status, meaning in _MEANINGS.items()
        if can_be.get(status, True)
    }
