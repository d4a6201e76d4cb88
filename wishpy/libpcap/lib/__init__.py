"""wishpy 0.1's modules `capturer` and `pcapy`."""
