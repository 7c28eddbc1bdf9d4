"""What the Kubernetes API answers when it refuses. Raised by the client, told apart by the apply and the reconcile."""

from typing import Any


class ApiError(Exception):
    """An answer of the API server that is not a success; the message is the API server's own.

    ``request`` is what it answered to, such as ``PATCH /apis/apps/v1/namespaces/hamburg/deployments/air-http``.
    """

    def __init__(self, status: int, reason: str, message: str, *, request: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.request = request

    @property
    def is_lasting(self) -> bool:
        """Whether the same request would be refused again: not a conflict, not too many requests, not the server."""
        return 400 <= self.status < 500 and self.status not in (408, 409, 410, 429)


class NotFoundError(ApiError):
    """The object is not there."""


class GoneError(ApiError):
    """The resource version is too old to watch from: list again."""


def api_error(status: int, body: dict[str, Any], *, request: str = "") -> ApiError:
    """The error for an answer's status code and its ``Status`` object."""
    reason = str(body.get("reason") or "")
    message = str(body.get("message") or f"HTTP status {status}")
    kind = {404: NotFoundError, 410: GoneError}.get(status, ApiError)
    return kind(status, reason, message, request=request)
