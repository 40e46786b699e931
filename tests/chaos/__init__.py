"""Workers killed at random while input flows; the result is compared with the oracle."""
