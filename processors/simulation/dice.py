"""Dice: all chance of the simulation comes from here, and with it from one seed."""

from random import Random


class Dice(Random):
    """A `random.Random` that can also be asked whether something happens."""

    def chance(self, share: float) -> bool:
        """True in this share of all throws."""
        return self.random() < share
