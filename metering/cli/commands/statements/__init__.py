"""``metering statements``: previewed, finalised, shown, voided, compared, run, exported."""
