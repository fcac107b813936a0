"""The host link over Ethernet: MAC, ARP, IPv4, UDP, and sessions of bytes that come whole and in order."""
