"""The demo: a day and a half of a language-model API."""
