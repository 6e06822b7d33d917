"""What cawait has for Python: cawait.pytest_plugin runs the tests that extension modules carry."""
