"""The packet capturing half of wishpy 0.1's names; see wishpy.libpcap.lib.capturer."""
