"""Whether each input of each public function has a gradient, None or an error: what TensorFlow says, as recorded."""

import json
from pathlib import Path

import pytest

import client as tf
from client.api import PUBLIC
from tests.gradients.calls import CALLS, function_at, outcome

TABLE = json.loads((Path(__file__).parents[1] / "peers" / "gradient_kinds.json").read_text(encoding="ascii"))


# Where we differ: functions that TensorFlow has two ops for and we have one.
OURS = {
    "identity_n": "vn nv",  # each tensor on its own: no zeros for the others
    "random.experimental.stateless_shuffle": "n",  # as random.shuffle
    "random.poisson": "n",  # as random.stateless_poisson
}

# Not functions of tensors with float results, or not functions at all.
SPACES = ("autograph", "config", "data", "debugging", "errors", "keras", "nest", "summary", "test", "train")
OTHERS = """
Profile print profile list_published publish published unpublish
autodiff.GradientTape IndexedSlices Module TensorSpec UnconnectedGradients Variable
random.Algorithm random.Generator random.create_rng_state random.experimental random.fold_in
random.get_global_generator random.set_global_generator random.set_seed random.split
Assert assert_equal assert_greater assert_less assert_rank control_dependencies custom_gradient executing_eagerly
function get_current_name_scope get_static_value grad_pass_through gradients group init_scope inside_function is_tensor
name_scope no_op recompute_grad
broadcast_dynamic_shape broadcast_static_shape math.invert_permutation
bitwise.bitwise_and bitwise.bitwise_or bitwise.bitwise_xor bitwise.invert bitwise.left_shift bitwise.right_shift
logical_and logical_not logical_or math.logical_xor reduce_all reduce_any
"""


@pytest.mark.parametrize("call", CALLS, ids=lambda c: c.name)
def test_as_in_tensorflow(call):
    assert outcome(tf, call) == OURS.get(call.name, TABLE[call.name])


def test_the_table_is_of_these_calls():
    assert list(TABLE) == sorted(c.name for c in CALLS)
    assert all(TABLE[name] != ours for name, ours in OURS.items())


def test_every_function_of_floats_is_called():
    called = {id(function_at(tf, c.name.partition(":")[0])) for c in CALLS}
    others = {id(PUBLIC[name]) for name in OTHERS.split()}
    left = {p for p, f in PUBLIC.items() if p.partition(".")[0] not in SPACES and id(f) not in called | others}
    assert left == set()
