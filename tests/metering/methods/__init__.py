"""Every method of the library: what holds of each of them alike."""
