"""Lists, dicts and tuples in attributes: what of them is tracked, and after which changes a save is refused."""

from collections import OrderedDict, namedtuple

from tests.peers.checkpoints.programs import claims, program, raised, saved, values

Pair = namedtuple("Pair", ["first", "second"])


def ones(tf, count):
    """Variables of 1, 2, and so on."""
    return [tf.Variable(float(i + 1)) for i in range(count)]


def zeros(tf, count):
    return [tf.Variable(0.0) for _ in range(count)]


def round_trip(tf, folder, make):
    """Save what `make` gives around variables 1, 2, 3, restore it around zeros."""
    path = saved(tf, folder, x=make(*ones(tf, 3)))
    found = zeros(tf, 3)
    status = tf.train.Checkpoint(x=make(*found)).restore(path)
    return {"values": values(*found), "claims": claims(status)}


def save_after(tf, folder, make, change):
    """The error of a save after a change of the container of variables 1, 2, 3."""
    checkpoint = tf.train.Checkpoint(x=make(*ones(tf, 3)))
    error = raised(change, checkpoint.x)
    return [error, raised(checkpoint.save, str(folder / "c"))]


@program
def lists(tf, folder):
    return round_trip(tf, folder, lambda *v: list(v))


@program
def dicts(tf, folder):
    return round_trip(tf, folder, lambda a, b, c: {"b": b, "a": a, "c": c})


@program
def ordered_dicts(tf, folder):
    return round_trip(tf, folder, lambda a, b, c: OrderedDict([("z", a), ("y", b), ("x", c)]))


@program
def tuples(tf, folder):
    return round_trip(tf, folder, lambda *v: tuple(v))


@program
def named_tuples(tf, folder):
    return round_trip(tf, folder, lambda a, b, c: Pair(a, Pair(b, c)))


@program
def containers_in_containers(tf, folder):
    return round_trip(tf, folder, lambda a, b, c: [{"k": (a, [b])}, [[[c]]]])


@program
def plain_values_between(tf, folder):
    return round_trip(tf, folder, lambda a, b, c: [1, a, "text", None, {"n": 2, "v": b}, (3, c)])


@program
def modules_in_containers(tf, folder):
    def module(v):
        found = tf.Module()
        found.v = v
        return found

    return round_trip(tf, folder, lambda a, b, c: {"k": [module(a)], "t": (module(b), c)})


@program
def the_same_variable_twice_in_a_list(tf, folder):
    path = saved(tf, folder, x=[tf.Variable(1.0)] * 2)
    v = tf.Variable(0.0)
    status = tf.train.Checkpoint(x=[v, v]).restore(path)
    return {"value": values(v), "claims": claims(status)}


@program
def containers_stay_what_they_are(tf, folder):
    a, b = ones(tf, 2)
    module = tf.Module()
    module.listed, module.mapped, module.both = [a, 2], {"a": a, 3: 4}, (a, b)
    module.named, module.empty, module.plain = Pair(a, 5), [], (1, 2)
    return {
        "kinds": [
            isinstance(module.listed, list),
            isinstance(module.mapped, dict),
            isinstance(module.both, tuple),
            isinstance(module.named, tuple),
            isinstance(module.plain, tuple),
        ],
        "members": [module.listed[0] is a, module.mapped["a"] is a, module.both[1] is b, module.named.first is a],
        "equal": [module.listed == [a, 2], module.empty == [], module.plain == (1, 2), module.mapped[3] == 4],
        "lengths": [len(module.listed), len(module.mapped), len(module.both), len(module.empty)],
        "sum": [module.listed + [3] == [a, 2, 3], [3] + module.listed == [3, a, 2]],  # noqa: RUF005
        "iterated": [[x is a for x in module.listed], sorted(map(str, module.mapped)), list(module.plain)],
        "in": [2 in module.listed, "a" in module.mapped, 5 in module.named],
        "slices": [len(module.listed[1:]), len(module.both[:1])],
    }


@program
def a_tuple_where_a_list_was(tf, folder):
    path = saved(tf, folder, x=ones(tf, 2), y=Pair(*ones(tf, 2)), z=tuple(ones(tf, 2)))
    found = zeros(tf, 6)
    parts = {"x": tuple(found[:2]), "y": {"first": found[2], "second": found[3]}, "z": found[4:]}
    status = tf.train.Checkpoint(**parts).restore(path)
    return {"values": values(*found), "claims": claims(status)}


@program
def a_dict_of_numbers_as_text_where_a_list_was(tf, folder):
    path = saved(tf, folder, x=ones(tf, 2))
    a, b = zeros(tf, 2)
    status = tf.train.Checkpoint(x={"1": b, "0": a}).restore(path)
    return {"values": values(a, b), "claims": claims(status)}


@program
def a_module_where_a_dict_was(tf, folder):
    path = saved(tf, folder, x={"a": tf.Variable(1.0), "b": tf.Variable(2.0)})
    module = tf.Module()
    module.a, module.b = zeros(tf, 2)
    status = tf.train.Checkpoint(x=module).restore(path)
    return {"values": values(module.a, module.b), "claims": claims(status)}


@program
def shorter_and_longer_lists(tf, folder):
    path = saved(tf, folder, x=ones(tf, 3))
    found = {}
    for count in (2, 4):
        listed = zeros(tf, count)
        status = tf.train.Checkpoint(x=listed).restore(path)
        found[str(count)] = [values(*listed), claims(status)]
    return found


@program
def empty_containers_do_not_count(tf, folder):
    path = saved(tf, folder, a=[], v=tf.Variable(1.0))
    checkpoint = tf.train.Checkpoint(b=[], v=tf.Variable(0.0))
    checkpoint.c = {}
    checkpoint.d = []
    checkpoint.d.append([])
    status = checkpoint.restore(path)
    return {"claims": claims(status), "value": values(checkpoint.v)}


@program
def plain_containers_added_later_do_not_count(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0))
    checkpoint = tf.train.Checkpoint(v=tf.Variable(0.0))
    checkpoint.settings = {"a": 1, "b": [1, 2]}
    checkpoint.sizes = [1, 2, 3]
    return {"claims": claims(checkpoint.restore(path))}


@program
def lists_grown_before_the_save(tf, folder):
    a, b, c, d = ones(tf, 4)
    checkpoint = tf.train.Checkpoint(x=[a])
    checkpoint.x.append(b)
    checkpoint.x.extend([c])
    checkpoint.x += [d]
    path = checkpoint.save(str(folder / "c"))
    found = zeros(tf, 4)
    status = tf.train.Checkpoint(x=found).restore(path)
    return {"values": values(*found), "claims": claims(status)}


@program
def changes_after_which_a_list_can_be_saved(tf, folder):
    changes = {
        "append": lambda x: x.append(tf.Variable(9.0)),
        "append a number": lambda x: x.append(1),
        "multiply": lambda x: x.__imul__(2),
    }
    numbers = {
        "insert": lambda x: x.insert(0, 1),
        "set": lambda x: x.__setitem__(0, 7),
        "set slice": lambda x: x.__setitem__(slice(1, None), [5, 6, 7]),
        "delete": lambda x: x.__delitem__(0),
        "pop": lambda x: x.pop(),
        "clear": lambda x: x.clear(),
        "reverse": lambda x: x.reverse(),
        "sort": lambda x: x.sort(),
        "multiply by 0": lambda x: x.__imul__(0),
    }
    found = {name: save_after(tf, folder, lambda *v: list(v), change) for name, change in changes.items()}
    return found | {name: save_after(tf, folder, lambda *v: [3, 1, 2], change) for name, change in numbers.items()}


@program
def changes_after_which_a_dict_can_be_saved(tf, folder):
    changes = {
        "new": lambda x: x.__setitem__("d", tf.Variable(9.0)),
        "another": lambda x: x.__setitem__("a", tf.Variable(9.0)),
        "update": lambda x: x.update(d=tf.Variable(9.0), a=tf.Variable(8.0)),
        "a number": lambda x: x.__setitem__("d", 1),
        "number at number": lambda x: x.__setitem__(1, 2),
        "delete": lambda x: x.__delitem__("a"),
        "setdefault": lambda x: x.setdefault("a", 3),
    }
    make = lambda a, b, c: {"a": a, "b": b, "c": c}
    return {name: save_after(tf, folder, make, change) for name, change in changes.items()}


@program
def keys_that_are_no_text(tf, folder):
    def error(mapped):
        return raised(tf.train.Checkpoint(x=mapped).save, str(folder / "c"))

    v = tf.Variable(1.0)
    return {"tuple": error({(1, 2): v}), "plain": error({1: 2, (1, 2): 3, "a": v})}


@program
def the_value_of_an_overwritten_key_is_saved(tf, folder):
    checkpoint = tf.train.Checkpoint(x={"a": tf.Variable(1.0)})
    checkpoint.x["a"] = tf.Variable(2.0)
    path = checkpoint.save(str(folder / "c"))
    v = tf.Variable(0.0)
    status = tf.train.Checkpoint(x={"a": v}).restore(path)
    return {"value": values(v), "claims": claims(status)}


@program
def a_list_in_two_places(tf, folder):
    owner, other = tf.Module(), tf.Module()
    owner.x = ones(tf, 2)
    other.x = owner.x
    owner.x.append(tf.Variable(3.0))
    path = saved(tf, folder, owner=owner, other=other)
    found = zeros(tf, 3)
    status = tf.train.Checkpoint(other=tf.train.Checkpoint(x=found)).restore(path)
    return {"values": values(*found), "existing": raised(status.assert_existing_objects_matched)}


@program
def the_guide_on_lists_and_dicts(tf, folder):
    first = tf.train.Checkpoint()
    first.listed = [tf.Variable(1.0)]
    first.listed.append(tf.Variable(2.0))
    first.mapped = {"one": first.listed[0]}
    first.mapped["two"] = first.listed[1]
    path = first.save(str(folder / "c"))
    second, v = tf.train.Checkpoint(), tf.Variable(0.0)
    second.mapped = {"two": v}
    status = second.restore(path)
    found = {"mapped": values(v), "existing": raised(status.assert_existing_objects_matched)}
    second.listed, w = [], tf.Variable(0.0)
    second.listed.append(w)
    return found | {"listed": values(w), "claims": claims(status)}
