"""The dissecting half of wishpy 0.1's names; see wishpy.wireshark.lib.dissector."""
