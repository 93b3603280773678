"""What others sent or wrote, as bytes, made values: decompressed, decoded, parsed."""
