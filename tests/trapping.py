"""How a file of generators that cheat is written: each in a function, under what it must be flagged for."""

from __future__ import annotations

from fillbench.generators import Generator, register


class Trap(Generator):
    def _fit(self, train, labels):
        self.train = train

    def kept(self, label, count):
        return self.pick(self.train.of_class(label), count)

    def pick(self, examples, count):
        return examples[self.rng.integers(0, len(examples), count)]


def traps_of(base, file):
    """The traps of a file by name; and what decorates a function, to be the `_sample` of one more under this name, with
    the flag that must be raised.

    Registered only when the file is given as a plug-in: no other test should meet them under `all`.
    """
    traps = {}

    def trap(name, flag):
        def add(sample):
            full = f"trap-{name}"
            body = {"_sample": sample, "__doc__": sample.__doc__, "__module__": file, "name": full, "flag": flag}
            traps[full] = type(name, (base,), body)
            if file.startswith("fillbench_plugin_"):
                register(full)(traps[full])

        return add

    return traps, trap
