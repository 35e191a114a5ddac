"""What `tf.profile` shows: the printed tables, HTML, the dictionary, and the time line."""

import html.parser
import json
import threading

import numpy as np

import client as tf
from tests.client.waiting import remote


def profiled():
    x = remote(np.ones((20, 20), np.float32))
    with tf.profile() as p:
        for _ in range(3):
            float(tf.reduce_sum(x @ x)) < 0  # noqa: B015
        tf.sync()
    return p


def test_the_printed_tables():
    p = profiled()
    lines = str(p).splitlines()
    heads = [i for i, line in enumerate(lines) if set(line) == {"-", " "}]
    assert [lines[i - 1].split("  ")[0] for i in heads] == [
        "lines that waited", "ops on the server", "other work of the server",
    ]  # fmt: skip
    first = lines[heads[0] + 1]
    assert f"test_profile_written.py:{p.waits[0].line}  {p.waits[0].source}" in first
    assert first.split()[-4:] == ["3", *(f"{v:.{1 if v >= 10 else 2}f}" for v in
                                         (p.waits[0].total_ms, p.waits[0].mean_ms, p.waits[0].longest_ms))]  # fmt: skip
    assert f"6 ops issued, {p.bytes_sent} bytes sent in {p.frames_sent} frames" in str(p)
    short = p.top(1)
    assert repr(short) == short and "and 1 more" in short and len(short) < len(str(p))


def test_html_is_well_formed_and_escaped():
    p = profiled()
    opened = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag != "br":
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    found = p._repr_html_()
    Parser().feed(found)
    assert not opened and found.count("<table>") == 3
    assert "float(tf.reduce_sum(x @ x)) &lt; 0" in found and "reduce_sum</code>" in found


def test_as_dict_is_plain_and_whole():
    p = profiled()
    found = json.loads(json.dumps(p.as_dict()))
    assert found["waits"][0]["line"] == p.waits[0].line and found["ops_issued"] == 6
    assert {op["name"]: op["count"] for op in found["ops"]} == {"matmul": 3, "reduce_sum": 3}
    assert found["wall_ms"] == p.wall_ms and found["missing"] == []


def test_the_time_line_holds_client_and_server_together(tmp_path):
    w = tf.Variable(np.ones((30, 30), np.float32))
    tf.sync()

    def worker():
        float(tf.reduce_sum(w))

    with tf.profile() as p:
        for _ in range(4):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(w @ w)
            tape.gradient(loss, w)
            float(loss)
        thread = threading.Thread(target=worker, name="helper")
        thread.start()
        thread.join()
    p.save(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    (server,) = trace["otherData"]["servers"]
    error = server["clock_error_us"]
    assert error > 0 and server["spans_dropped"] == 0 and server["missing"] is None

    events = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
    assert {"MainThread", "helper", "executor"} == set(names.values())
    assert all(e["ts"] >= -error and e["dur"] >= 0 for e in events)

    def of(category):
        return [e for e in events if e["cat"] == category]

    reads = [e for e in of("item") if e["name"] == "read"]
    assert len(of("wait")) == len(reads) == 5
    for wait, read in zip(sorted(of("wait"), key=lambda e: e["ts"]), reads, strict=True):
        assert wait["ts"] - error <= read["ts"]
        assert read["ts"] + read["dur"] <= wait["ts"] + wait["dur"] + error
        assert read["args"]["line"] == wait["args"]["line"]
    assert [e["name"] for e in of("op")].count("matmul") == 4
    assert all("w @ w" in e["args"]["line"] for e in of("op") if e["name"] == "matmul")
    passes = [e for e in of("item") if e["name"] == "gradient"]
    assert len(passes) == 4
    for op in of("backward"):
        around = [e for e in passes if e["args"]["item"] == op["args"]["item"]]
        assert around[0]["ts"] <= op["ts"] and op["ts"] + op["dur"] <= around[0]["ts"] + around[0]["dur"]
        assert "tape.gradient(loss, w)" in op["args"]["line"]
    assert sum(e["args"]["items"] for e in of("issue")) >= p.ops_issued
