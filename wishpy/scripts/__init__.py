"""wishpy 0.1's programs. The `wishpy` command takes their place."""
