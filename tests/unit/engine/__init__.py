"""The engine without a broker: what it refuses, how it triages, and the loop against scripted clients."""
