"""Usage records: quantities of subscription items, as clients before meters send them."""
