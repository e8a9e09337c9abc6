"""How every call ends that the daemon refuses."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

import grpc

from attuned.errors import AttuneError, NotFoundError, RequestError

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Context = grpc.aio.ServicerContext[Any, Any]
Call = Callable[[Any, Request, Context], Awaitable[Reply]]


def answers(call: Call[Request, Reply]) -> Call[Request, Reply]:
    """Turns the daemon's errors into gRPC's, with their sentence."""

    @wraps(call)
    async def guarded(service: Any, request: Request, context: Context) -> Reply:
        try:
            return await call(service, request, context)
        except NotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except RequestError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except AttuneError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    return guarded
