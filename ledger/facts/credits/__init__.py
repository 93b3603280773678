"""Facts about credits: grants, what draws them down, holds, billing runs."""
