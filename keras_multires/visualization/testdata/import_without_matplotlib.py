"""Imports the package as if matplotlib were not installed."""

import importlib
import sys

sys.modules["matplotlib"] = None
importlib.import_module("keras_multires")
