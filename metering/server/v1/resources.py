"""Routes that resources have in common: each is a method of the library.

To read takes the scope ``read``, to change anything ``admin``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from metering.bodies import Body, body_of
from metering.connection import Metering
from metering.server.api.expansion import Expansions
from metering.server.api.pages import page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1, Dialect

Method = Callable[[Metering], Callable[..., Any]]
"""Which method of the library does what a route says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRoutes:
    """The routes of one kind of resource.

    Attributes:
        path: of the list.
        retrieve: takes an id; also makes the answer again that a dead process owes.
        expansions: what can be expanded in the resource.
        dialect: in which requests and errors are written.
        write: makes the body of a resource.
    """

    path: str
    retrieve: Method
    expansions: Expansions = field(default_factory=dict)
    dialect: Dialect = V1
    write: Callable[[Any], Body] = body_of

    def creates(self, summary: str, method: Method, **more: Any) -> Route:
        """Return the route that creates a resource."""

        def create(call: Call) -> Answer:
            return Answer(body=self.write(method(call.m)(**call.given)))

        return self._route("POST", "", summary, create, **more)

    def retrieves(self, summary: str) -> Route:
        """Return the route of one resource."""

        def retrieve(call: Call) -> Answer:
            return Answer(body=self.write(self.retrieve(call.m)(call.ids["id"])))

        return self._route("GET", "/{id}", summary, retrieve)

    def lists(self, summary: str, method: Method, takes: type) -> Route:
        """Return the route of the list."""

        def list_page(call: Call) -> Answer:
            page = page_of(method(call.m), call.given, self.path, self.write)
            return Answer(body=page)

        return self._route("GET", "", summary, list_page, takes=takes, is_list=True)

    def searches(self, summary: str, method: Method, takes: type) -> Route:
        """Return the route that searches."""
        url = f"{self.path}/search"

        def search(call: Call) -> Answer:
            found = page_of(method(call.m), call.given, url, self.write)
            next_page = found["data"][-1]["id"] if found["has_more"] else None
            return Answer(
                body={**found, "object": "search_result", "next_page": next_page}
            )

        return self._route("GET", "/search", summary, search, takes=takes, is_list=True)

    def changes(
        self, summary: str, method: Method, *, verb: str | None = None, **more: Any
    ) -> Route:
        """Return a route that changes one resource: below its path, where it has a verb."""
        below = "/{id}" if verb is None else f"/{{id}}/{verb}"
        return self._route("POST", below, summary, self._change(method), **more)

    def ends(self, summary: str, method: Method, **more: Any) -> Route:
        """Return the route that ends a resource, which can be retrieved all the same."""
        return self._route("DELETE", "/{id}", summary, self._change(method), **more)

    def deletes(self, summary: str, kind: str, method: Method, **more: Any) -> Route:
        """Return the route that deletes a resource of a kind."""

        def answer(call: Call, resource_id: str) -> Body:
            return {"id": resource_id, "object": kind, "deleted": True}

        def delete(call: Call) -> Answer:
            method(call.m)(call.ids["id"], **call.given)
            return Answer(body=answer(call, call.ids["id"]))

        return self._route("DELETE", "/{id}", summary, delete, recover=answer, **more)

    def _route(
        self,
        method: Literal["GET", "POST", "DELETE"],
        below: str,
        summary: str,
        handler: Callable[[Call], Answer],
        **more: Any,
    ) -> Route:
        is_change = method != "GET"
        recovering: Mapping[str, Any] = {"recover": self._recover} if is_change else {}
        return Route(
            method=method,
            dialect=self.dialect,
            path=f"{self.path}{below}",
            scope="admin" if is_change else "read",
            summary=summary,
            handler=handler,
            expansions=self.expansions,
            **{**recovering, **more},
        )

    def _recover(self, call: Call, resource_id: str) -> Body:
        return self.write(self.retrieve(call.m)(resource_id))

    def _change(self, method: Method) -> Callable[[Call], Answer]:
        def change(call: Call) -> Answer:
            return Answer(body=self.write(method(call.m)(call.ids["id"], **call.given)))

        return change
