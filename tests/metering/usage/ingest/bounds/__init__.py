"""What a source may ask for, each bound by itself."""
