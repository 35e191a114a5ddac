"""What Jupyter is given: tables that a parser reads back, escaped, after one wait at most."""

from html.parser import HTMLParser

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

_MARKED = "<b>\"&'"


class Table(HTMLParser):
    """Reads one table: its caption, its rows of texts, and the lines below it. Refuses what is not well nested."""

    def __init__(self, text):
        super().__init__()
        self.caption, self.rows, self.notes, self._open = "", [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        assert tag in {"table", "caption", "tr", "th", "td", "div"}
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
        elif tag == "div":
            self.notes.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1] == "caption":
            self.caption += data
        elif self._open[-1] == "div":
            self.notes[-1] += data
        else:
            assert self._open[-1] in ("th", "td")
            self.rows[-1][-1] += data


def test_a_vector():
    x = remote([1.5, -2.0, float("nan"), 1e10])
    with waits(1):
        found = Table(x._repr_html_())
    assert found.caption == "tf.Tensor: shape (4,), float32, on CPU:0"
    assert found.rows == [["0", "1", "2", "3"], ["1.5", "-2", "nan", "1e+10"]]


@pytest.mark.parametrize(
    ("dtype", "values", "texts"),
    [
        ("bool", [True, False], ["True", "False"]),
        ("int8", [-128, 127], ["-128", "127"]),
        ("uint64", [0, 2**64 - 1], ["0", "18446744073709551615"]),
        ("float16", [0.5, float("inf")], ["0.5", "inf"]),
        ("bfloat16", [0.5, -3.0], ["0.5", "-3"]),
        ("float64", [1 / 3, 1e-300], ["0.333333", "1e-300"]),
        ("complex64", [1 + 2j, -0.5j], ["1+2j", "-0-0.5j"]),
    ],
)
def test_dtypes(dtype, values, texts):
    assert Table(tf.constant(values, dtype)._repr_html_()).rows[1] == texts


def test_a_matrix_is_fetched_at_its_edges():
    x = tf.reshape(tf.range(1_000_000), [1000, 1000])
    tf.sync()
    before = tf.stats()["bytes_received"]
    with waits(1):
        found = Table(x._repr_html_())
    assert tf.stats()["bytes_received"] - before < 2000
    ends = [*range(5), *range(995, 1000)]
    labels = [*map(str, ends[:5]), "…", *map(str, ends[5:])]
    assert found.rows[0] == ["", *labels]
    assert [row[0] for row in found.rows[1:]] == labels
    assert found.rows[6] == ["…"] * 12
    for row, i in zip([*found.rows[1:6], *found.rows[7:]], ends, strict=True):
        assert row[1:] == [*(str(1000 * i + j) for j in ends[:5]), "…", *(str(1000 * i + j) for j in ends[5:])]


@pytest.mark.parametrize("shape", [(10, 1), (1, 11), (11, 10), (2, 600), (40, 40)])
def test_each_axis_is_cut_for_itself(shape):
    rows = Table(remote(np.zeros(shape, np.int32))._repr_html_()).rows
    assert {len(row) for row in rows} == {1 + min(shape[1], 11)}
    assert len(rows) == 1 + min(shape[0], 11)
    assert ("…" in rows[0]) == (shape[1] > 10) and (rows[-6][0] == "…" if shape[0] > 10 else rows[-1][0] != "…")


@pytest.mark.parametrize("shape", [[], [0], [3, 0], [2, 2, 2], [28, 28, 3]])
def test_what_plain_text_shows_as_well_has_no_table(shape):
    x = tf.zeros(shape)
    assert x._repr_html_() is None
    assert x._repr_mimebundle_() == {"text/plain": repr(x)}


def test_text_and_table_are_made_of_one_read():
    x = tf.reshape(tf.range(40_000), [200, 200])
    with waits(1):
        bundle = x._repr_mimebundle_(include=None, exclude=None)
    assert bundle == {"text/plain": repr(x), "text/html": x._repr_html_()}
    y = tf.constant([[1, 2]])
    with waits(0):
        assert set(y._repr_mimebundle_()) == {"text/plain", "text/html"}


@pytest.mark.parametrize("items", [1, 8])
def test_numpys_print_options_hold_for_the_text(items):
    with np.printoptions(edgeitems=items, threshold=20):
        x = tf.range(100)
        assert (
            x._repr_mimebundle_()["text/plain"] == repr(x) == f"<tf.Tensor: shape=(100,), dtype=int32, numpy={tail(x)}>"
        )
        assert len(Table(x._repr_html_()).rows[1]) == 11


def tail(x):
    """NumPy's text of the same array."""
    found = np.array_repr(x.numpy())
    return "\n" + found if "\n" in found else found


def test_a_variable_as_it_is_now():
    v = tf.Variable([1, 2], name=_MARKED)
    with waits(1):
        assert Table(v._repr_html_()).rows[1] == ["1", "2"]
    v.assign_add([10, 10])
    with waits(1):
        bundle = v._repr_mimebundle_()
    assert Table(bundle["text/html"]).rows[1] == ["11", "12"]
    assert bundle["text/plain"] == repr(v)
    assert _MARKED not in bundle["text/html"]
    assert Table(bundle["text/html"]).caption == f"tf.Variable {_MARKED!r}: shape (2,), int32, on CPU:0"


def test_a_shape_that_only_the_server_knows():
    x = tf.boolean_mask(tf.range(4), remote([True, False, True, False]))
    with waits(1):
        assert Table(x._repr_html_()).rows[1] == ["0", "2"]


def test_an_error_is_raised_as_by_repr():
    bad = tf.linalg.inv(tf.zeros([8, 8]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        bad._repr_html_()


def test_a_symbolic_tensor_is_text():
    x = tf.keras.Input([2])
    assert x._repr_html_() is None
    assert x._repr_mimebundle_() == {"text/plain": repr(x)}


def test_a_model_is_its_summary():
    model = tf.keras.Sequential([tf.keras.layers.Dense(3, name="a&b")], name="<model>")
    assert Table(model._repr_html_()).rows[1] == ["a&b (Dense)", "?", "0 (unbuilt)"]
    model.build([None, 2])
    with waits(0):
        text = model._repr_html_()
    found = Table(text)
    assert found.caption == 'Model: "<model>"' and "<model>" not in text
    assert found.rows == [["Layer (type)", "Output Shape", "Param #"], ["a&b (Dense)", "(None, 3)", "9"]]
    said = []
    model.summary(print_fn=said.append)
    assert said[0].splitlines()[-3:] == found.notes
    assert [note.split(":")[0] for note in found.notes] == [
        " Total params",
        " Trainable params",
        " Non-trainable params",
    ]


def test_a_models_graph_says_what_is_connected():
    a, b = tf.keras.Input([2], name="a"), tf.keras.Input([2], name="b")
    model = tf.keras.Model([a, b], tf.keras.layers.Add(name="sum")([a, b]))
    rows = Table(model._repr_html_()).rows
    assert rows[0][-1] == "Connected to" and rows[-1][-1] == "a[0][0], b[0][0]"


def trained(epochs, **options):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = tf.ones([8, 2]), tf.ones([8, 1])
    return model.fit(x, y, epochs=epochs, verbose=0, **options)


def test_a_history_is_a_table_of_epochs():
    history = trained(3)
    with waits(0):
        found = Table(history._repr_html_())
    assert found.caption == "3 epochs" and found.rows[0] == ["epoch", *history.history]
    assert [row[0] for row in found.rows[1:]] == ["0", "1", "2"]
    assert [float(row[1]) for row in found.rows[1:]] == pytest.approx(history.history["loss"], rel=1e-3)


def test_a_long_history_is_cut():
    rows = Table(trained(30)._repr_html_()).rows
    assert [row[0] for row in rows[1:]] == ["0", "1", "2", "3", "4", "…", "25", "26", "27", "28", "29"]
    assert set(rows[6]) == {"…"}


def test_values_of_some_epochs_stand_below():
    x, y = tf.ones([8, 2]), tf.ones([8, 1])
    history = trained(4, validation_data=(x, y), validation_freq=2)
    found = Table(history._repr_html_())
    assert set(found.rows[0]) == {"epoch", "loss", "mae"}
    assert [note.split(":")[0] for note in found.notes] == ["val_loss", "val_mae"]
    assert found.notes[0].count(",") == 1


def test_a_history_escapes_names_and_may_be_empty():
    history = tf.keras.callbacks.History()
    assert history._repr_html_() is None
    history.epoch, history.history = [0], {_MARKED: [1.0], "lr": ["<i>"]}
    assert Table(history._repr_html_()).rows == [["epoch", _MARKED, "lr"], ["0", "1", "<i>"]]
