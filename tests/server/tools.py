"""A tool that speaks HTTP to a real server, as a test needs it."""

from __future__ import annotations

import io
from typing import Any

import httpx
import msgpack
import numpy as np

from protocol import dtypes
from tests.support import ServerProcess

PROBLEM = "application/problem+json"
NPY, MSGPACK, JSON = "application/x-npy", "application/msgpack", "application/json"


def written(array: np.ndarray, form: str = JSON) -> Any:
    """A tensor as a tool would write it; the numbers in JSON are written by the rules of docs/http.md, not our code."""
    name = dtypes.BY_NUMPY[array.dtype].name
    if form == MSGPACK:
        return {"dtype": name, "shape": list(array.shape), "data": array.tobytes()}
    return {"dtype": name, "shape": list(array.shape), "data": [number(x) for x in array.reshape(-1)]}


def number(x: Any) -> Any:
    """An element in JSON."""
    if np.iscomplexobj(x):
        return [number(x.real), number(x.imag)]
    if isinstance(x, np.bool_ | np.integer):
        return x.item()
    value = float(x)
    return value if np.isfinite(value) else "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def understood(tensor: dict[str, Any]) -> np.ndarray:
    """A tensor of an answer as an array."""
    dtype, shape, data = dtypes.as_dtype(tensor["dtype"]), tuple(tensor["shape"]), tensor["data"]
    if isinstance(data, bytes):
        return np.frombuffer(data, dtype.numpy).reshape(shape)
    if dtype.is_complex:
        return np.array(data, np.float64).reshape(*shape, 2).view(np.complex128).astype(dtype.numpy).reshape(shape)
    # NumPy reads "NaN" and "Infinity" as the numbers that they stand for.
    array = np.array(data, np.float64 if dtype.is_floating else dtype.numpy)
    return array.astype(dtype.numpy).reshape(shape)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


class Web(httpx.Client):
    """An HTTP client with the server's token, and a session of it once one is made."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(base_url=server.url, headers=server.headers, timeout=60)
        self.path = ""

    def new_session(self) -> Web:
        answer = self.post("/v1/sessions")
        assert answer.status_code == 201, answer.text
        self.path = f"/v1/sessions/{answer.json()['session']}"
        return self

    def send(self, *arguments: Any, **options: Any) -> httpx.Response:
        """Every answer of a request that failed is problem details with the status it came with."""
        answer = super().send(*arguments, **options)
        if answer.status_code >= 400:
            answer.read()
            assert answer.headers["content-type"] == PROBLEM, answer.text
            problem = answer.json()
            assert problem["status"] == answer.status_code and problem["detail"] and problem["title"], problem
            assert type(problem["code"]) is int
        return answer

    def execute(self, *items: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
        """What became of the items of a request that is right."""
        answer = self.post(f"{self.path}/execute", json={"items": items}, headers=headers)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["failed"] == sum("error" in o for o in found["items"])
        assert len(found["items"]) == len(items)
        return found["items"]

    def refused(self, *items: Any, status: int = 400) -> dict[str, Any]:
        """The problem of a request that is wrong."""
        answer = self.post(f"{self.path}/execute", json={"items": items})
        assert answer.status_code == status, answer.text
        return answer.json()

    def read(self, reference: str) -> np.ndarray:
        answer = self.get(f"{self.path}/tensors/{reference}")
        assert answer.status_code == 200, answer.text
        return understood(answer.json())

    def unpacked(self, answer: httpx.Response) -> Any:
        assert answer.headers["content-type"] == MSGPACK
        return msgpack.unpackb(answer.content)
