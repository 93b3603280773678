"""Pure functions from recorded entries to derived state. No input, no output."""
