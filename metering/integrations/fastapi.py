"""FastAPI: what Starlette has, and the connection as a dependency.

``m: Connection`` in the signature of an endpoint is the connection that the lifespan
opened. Source: https://fastapi.tiangolo.com/tutorial/dependencies/
"""

from typing import Annotated

from metering.aio import AsyncMetering
from metering.integrations.extras import needing

with needing("fastapi"):
    from fastapi import Depends

from metering.integrations.starlette import MeterRequests, connection, lifespan

__all__ = ["Connection", "MeterRequests", "lifespan"]

Connection = Annotated[AsyncMetering, Depends(connection)]
