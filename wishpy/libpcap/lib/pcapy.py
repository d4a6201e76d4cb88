"""wishpy 0.1's name of wishpy.pcapy: importing this gives that very module."""

import sys

import wishpy.pcapy

sys.modules[__name__] = wishpy.pcapy
