"""Pure functions from recorded entries to derived state, without input or output."""
