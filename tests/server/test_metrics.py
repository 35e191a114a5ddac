"""/metrics of real servers, read by Prometheus' own parser: what is counted is what was done, and labels are few."""

import httpx
import numpy as np
import prometheus_client
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from protocol import wire
from protocol.dtypes import float32
from protocol.ops import OPS
from protocol.wire import Item, Kind
from server.app import create_app
from server.devices import Device
from server.metrics import Lag, Metrics
from server.settings import Settings
from tests.stream.raw import Raw, RawHttp, http
from tests.support import serving, wait_until

ONE = np.ones((), np.float32)
LARGE = (1024, 1024)
LARGE_BYTES = 4 * 2**20


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


class Samples(dict):
    """(name, labels) -> value; a sample there is none of is 0."""

    def __missing__(self, key):
        return 0.0

    def of(self, name, **labels):
        return self[name, frozenset(labels.items())]

    def labels(self, name):
        return [dict(labels) for found, labels in self if found == name]


def metrics(server) -> Samples:
    answer = httpx.get(f"{server.url}/metrics", headers=server.headers)
    assert answer.status_code == 200
    families = parse_text(answer.text)
    return Samples({(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples})


class Grown:
    """What a metric grew by since the block began."""

    def __init__(self, server):
        self._server = server

    def __enter__(self):
        self._before = metrics(self._server)
        return self

    def __exit__(self, *error):
        pass

    def by(self, name, **labels):
        return metrics(self._server).of(name, **labels) - self._before.of(name, **labels)


def add(out, *operands):
    return [Item.RUN, 0, out, list(operands) or [ONE, ONE]]


def test_the_token_is_needed(server):
    assert httpx.get(f"{server.url}/metrics").status_code == 401


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/plain", "text/plain"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
        ("text/plain; version=abc", "text/plain"),
        ("application/openmetrics-text; version=x.y", "text/plain"),
    ],
)
def test_both_formats_are_well_formed(server, accept, content_type):
    with Raw(server) as raw:
        raw.ask([Item.BIND, 0, "add"], add(1), [Item.READ, 1, 1])
        answer = httpx.get(f"{server.url}/metrics", headers=server.headers | {"accept": accept})
    assert answer.headers["content-type"].startswith(content_type)
    parse = parse_openmetrics if "openmetrics" in content_type else parse_text
    families = {family.name: family for family in parse(answer.text)}
    assert families["telegrad_ops"].type == "counter" and families["telegrad_sessions"].type == "gauge"
    assert families["telegrad_event_loop_lag_seconds"].type == "histogram"
    assert all(family.documentation for name, family in families.items() if name.startswith("telegrad_"))


def test_ops_are_counted_and_stay_when_their_session_is_over(server):
    with Grown(server) as grown:
        with Raw(server) as raw:
            raw.ask([Item.BIND, 0, "add"], *[add(i) for i in range(1, 31)], [Item.READ, 1, 30])
            assert grown.by("telegrad_ops_total", op="add") == 30
            assert grown.by("telegrad_op_seconds_total", op="add") > 0
            raw.frame(Kind.BYE)
            wait_until(lambda: grown.by("telegrad_session_ends_total", reason="left") == 1)
        assert grown.by("telegrad_ops_total", op="add") == 30


def test_failures_are_counted_by_op_and_code(server):
    with Grown(server) as grown, Raw(server) as raw:
        raw.send([Item.BIND, 0, "matmul"], [Item.RUN, 0, 1, [np.ones((2, 3)), np.ones((2, 3))]], [Item.CONST, 2, ONE])
        assert raw.replies(1)[0][0] == Item.FAILED
        assert grown.by("telegrad_op_failures_total", op="matmul", code="3", error="InvalidArgumentError") == 1


def test_labels_never_come_from_a_client(server):
    with Raw(server) as raw:
        names = [f"made_up_{i}" for i in range(50)]
        raw.send(*[[Item.BIND, i, name] for i, name in enumerate(names)])
        raw.send(*[[Item.RUN, i, i + 1, [ONE]] for i in range(50)], [Item.SET, "made_up_setting", True])
        raw.replies(51)
        raw.ask([Item.SYNC, 1])
    with http(server) as web:
        for i in range(20):
            web.get(f"/made_up_path_{i}")
            web.get(f"/v1/sessions/made_up_session_{i}/uploads/1")
            web.request(f"MADEUP{i}", "/v1/status")
        text = web.get("/metrics").text
    assert "made_up" not in text.lower() and "madeup" not in text.lower()
    found = metrics(server)
    assert found.of("telegrad_op_failures_total", op="unknown", code="5", error="NotFoundError") >= 50
    assert {labels["op"] for labels in found.labels("telegrad_ops_total")} <= set(OPS)
    routes = {labels["route"] for labels in found.labels("telegrad_http_requests_total")}
    assert "none" in routes and "/v1/sessions/{identifier}/uploads/{upload}" in routes
    assert {labels["method"] for labels in found.labels("telegrad_http_requests_total")} <= {
        "GET",
        "POST",
        "PUT",
        "other",
    }


def test_sessions_by_state_and_what_they_hold(server):
    wait_until(lambda: metrics(server).of("telegrad_sessions", state="attached") == 0)
    with Grown(server) as grown:
        with Raw(server) as raw:
            raw.ask(
                [Item.CONST, 1, np.zeros(1000, np.float32)], [Item.CONST, 2, np.zeros(10, np.float32)], [Item.SYNC, 1]
            )
            assert grown.by("telegrad_sessions", state="attached") == 1
            assert grown.by("telegrad_session_starts_total") == 1
            assert grown.by("telegrad_session_attachments_total", carrier="websocket") == 1
            assert grown.by("telegrad_tensors") == 2 and grown.by("telegrad_tensor_bytes") == 4040
            assert metrics(server).of("telegrad_tensor_bytes_peak_max") >= 4040
        wait_until(lambda: grown.by("telegrad_sessions", state="detached") == 1)
        assert grown.by("telegrad_sessions", state="attached") == 0
        httpx.delete(f"{server.url}/v1/sessions/{raw.session}", headers=server.headers).raise_for_status()
        assert grown.by("telegrad_sessions", state="detached") == 0
        assert grown.by("telegrad_session_ends_total", reason="deleted") == 1
        assert grown.by("telegrad_tensors") == 0 and grown.by("telegrad_tensor_bytes") == 0


def test_a_broken_session_ends_once(server):
    with Grown(server) as grown:
        with Raw(server) as raw:
            raw.send([Item.RUN])
            assert raw.end()["code"] == 65
        wait_until(lambda: grown.by("telegrad_session_ends_total", reason="broken") == 1)
        assert grown.by("telegrad_errors_total", where="session", code="65", error="ProtocolError") == 1
        assert grown.by("telegrad_sessions", state="detached") == 0  # it cannot be used any more
        httpx.delete(f"{server.url}/v1/sessions/{raw.session}", headers=server.headers)
        ends = sum(grown.by("telegrad_session_ends_total", reason=r) for r in ("broken", "deleted", "lease"))
        assert ends == 1


def test_sessions_whose_lease_ran_out_or_made_room():
    with serving("--session-ttl", "0.3", "--max-sessions", "1") as process:
        with Raw(process):
            pass
        wait_until(lambda: metrics(process).of("telegrad_session_ends_total", reason="lease") == 1)
    with serving("--max-sessions", "1") as process:
        with Raw(process):
            pass
        wait_until(lambda: metrics(process).of("telegrad_sessions", state="detached") == 1)
        with Raw(process):
            found = metrics(process)
        assert found.of("telegrad_session_ends_total", reason="evicted") == 1
        assert found.of("telegrad_sessions_limit") == 1


def test_the_depth_of_queues(server):
    wait_until(lambda: metrics(server).of("telegrad_queued_items") == 0)
    with Raw(server) as raw:
        raw.send([Item.BIND, 0, "add"], [Item.UPLOAD, 1, 7, float32, [4]], [Item.CONST, 2, ONE])
        raw.wait_done(3)
        raw.send(add(3, 1, 2))  # waits for the upload's bytes
        raw.send(*[add(i) for i in range(4, 9)])
        found = wait_until(lambda: (m := metrics(server)).of("telegrad_queued_items") == 6 and m)
        assert found.of("telegrad_queued_items_max") == 6
        assert found.of("telegrad_queued_bytes") == found.of("telegrad_queued_bytes_max") > 6
        body = np.zeros(4, np.float32).tobytes()
        put = {"content-range": "bytes 0-15/16"}
        httpx.put(f"{server.url}/v1/sessions/{raw.session}/uploads/7", content=body, headers=server.headers | put)
        raw.wait_done(9)
        assert metrics(server).of("telegrad_queued_items") == 0


def test_replies_that_are_not_taken(server):
    wait_until(lambda: metrics(server).of("telegrad_sessions", state="attached") == 0)
    with Grown(server) as grown, Raw(server) as raw:
        raw.ask([Item.CONST, 1, np.zeros(1000, np.float32)], [Item.READ, 1, 1])
        assert grown.by("telegrad_outbox_bytes") > 4000
        raw.acknowledge()
        wait_until(lambda: grown.by("telegrad_outbox_bytes") == 0)


def test_bytes_of_a_websocket(server):
    body = wire.pack([[Item.CONST, 1, np.zeros(500, np.float32)], [Item.SYNC, 1]])
    with Raw(server) as raw, Grown(server) as grown:
        raw.seq = 1
        raw.frame(Kind.ITEMS, 1, 0, 0, 2, body)
        reply = raw.replies(1)
        assert grown.by("telegrad_bytes_total", carrier="websocket", direction="in") == wire.HEADER.size + len(body)
        assert grown.by("telegrad_frames_total", carrier="websocket", direction="in") == 1
        sent = grown.by("telegrad_bytes_total", carrier="websocket", direction="out")
        assert sent >= wire.HEADER.size + len(wire.pack(reply))


def test_bytes_of_frames_over_http(server):
    with RawHttp(server) as raw, Grown(server) as grown:
        content = raw.next([Item.SYNC, 1])
        raw.post(content).raise_for_status()
        raw.replies(1)
        assert (
            grown.by("telegrad_bytes_total", carrier="http", direction="in") == len(content) - 4
        )  # without the length
        assert grown.by("telegrad_bytes_total", carrier="http", direction="out") > 0
        assert grown.by("telegrad_bytes_total", carrier="api", direction="in") == 0


def test_bytes_of_payloads(server):
    value = np.ones(LARGE, np.float32)
    with Raw(server) as raw, Grown(server) as grown:
        raw.send([Item.UPLOAD, 1, 1, float32, list(LARGE)], [Item.READ, 1, 1])
        with http(server) as web:
            path = f"/v1/sessions/{raw.session}"
            range_ = {"content-range": f"bytes 0-{LARGE_BYTES - 1}/{LARGE_BYTES}"}
            web.put(f"{path}/uploads/1", content=value.tobytes(), headers=range_).raise_for_status()
            assert web.get(f"{path}/reads/1").content == value.tobytes()
        assert grown.by("telegrad_bytes_total", carrier="payload", direction="in") == LARGE_BYTES
        out = grown.by("telegrad_bytes_total", carrier="payload", direction="out")
        assert LARGE_BYTES <= out < LARGE_BYTES + 100  # and what the PUT was answered


def test_requests_by_route_and_status(server):
    with Grown(server) as grown, http(server) as web:
        web.get("/healthz")
        web.get("/healthz")
        web.get("/nowhere")
        assert grown.by("telegrad_http_requests_total", method="GET", route="/healthz", status="200") == 2
        assert grown.by("telegrad_http_requests_total", method="GET", route="none", status="404") == 1


def test_refusals_are_errors_by_code(server):
    with Grown(server) as grown:
        httpx.get(f"{server.url}/v1/status", headers={"authorization": "Bearer wrong"})
        httpx.get(f"{server.url}/v1/status", headers=server.headers | {"origin": "https://evil.example"})
        assert grown.by("telegrad_errors_total", where="request", code="16", error="UnauthenticatedError") == 1
        assert grown.by("telegrad_errors_total", where="request", code="7", error="PermissionDeniedError") == 1


def test_a_request_whose_client_goes_is_counted(server):
    route = "/v1/sessions/{identifier}/frames"
    with RawHttp(server) as raw, Grown(server) as grown:
        with pytest.raises(httpx.ReadTimeout):
            raw.http.get(f"{raw.path}/frames", params={"attachment": raw.attachment, "wait": 0.5}, timeout=0.05)
        wait_until(lambda: grown.by("telegrad_http_requests_total", method="GET", route=route, status="200") == 1)


def test_the_server_and_its_devices(server):
    found = metrics(server)
    (build,) = found.labels("telegrad_build_info")
    assert set(build) == {"version", "protocol", "python", "numpy"} and build["numpy"] == np.__version__
    used = found.of("telegrad_device_memory_used_bytes", device="CPU:0")
    assert 0 < used <= found.of("telegrad_device_memory_limit_bytes", device="CPU:0")
    assert found.of("telegrad_device_memory_peak_bytes", device="CPU:0") >= used
    assert found.of("telegrad_uptime_seconds") > 0 and found.of("process_resident_memory_bytes") > 2**20
    assert found.of("telegrad_session_limit_bytes") > 0


def test_the_event_loop_is_watched(server):
    before = metrics(server).of("telegrad_event_loop_lag_seconds_count")
    wait_until(lambda: metrics(server).of("telegrad_event_loop_lag_seconds_count") > before + 2)


def test_the_histogram_of_the_lag():
    lag = Lag()
    for seconds in (0.0, 0.001, 0.0011, 0.3, 99.0):
        lag.observe(seconds)
    found = dict(lag.buckets())
    assert found["0.001"] == 2 and found["0.0025"] == 3 and found["0.25"] == 3 and found["0.5"] == 4
    assert found["2.5"] == 4 and found["+Inf"] == 5 and lag.total == pytest.approx(99.3021)


class Failing(Device):
    def memory(self):
        raise RuntimeError("cudaErrorIllegalAddress")


def test_a_device_that_fails_takes_no_other_figure_along():
    app = create_app(Settings(token="t"), [Device("CPU:0"), Failing("GPU:0")])
    text = prometheus_client.generate_latest(Metrics(app.state.sessions).registry).decode()
    assert 'telegrad_device_memory_used_bytes{device="CPU:0"}' in text and "GPU:0" not in text


def test_nothing_is_global():
    before = {family.name for family in prometheus_client.REGISTRY.collect()}
    for _ in range(2):
        create_app(Settings(token="t"), [Device("CPU:0")])
    assert {family.name for family in prometheus_client.REGISTRY.collect()} == before
