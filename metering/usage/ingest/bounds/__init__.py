"""What a source may ask for: its limits, its size before it is unpacked, its pieces."""
