"""Prints which packages can be imported, as {"python": VERSION, "packages": {NAME: {"version" or "error": TEXT}}}."""

import importlib
import importlib.metadata
import json
import platform
import sys


def state(package):
    try:
        importlib.import_module(package)
        return {"version": importlib.metadata.version(package)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


packages = {package: state(package) for package in sys.argv[1:]}
print(json.dumps({"python": platform.python_version(), "packages": packages}))
