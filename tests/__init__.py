"""The tests; what several of them share stands in modules of its own beside conftest.py."""
