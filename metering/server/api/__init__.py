"""The API: routes as data, and one service that answers them."""
