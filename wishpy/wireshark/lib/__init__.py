"""wishpy 0.1's module `dissector`."""
